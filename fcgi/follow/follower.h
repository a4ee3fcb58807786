/*
 * One request that follows the logs of a function, from its connection to its answer. This file does not ask PostgreSQL; it
 * makes the answer from the result.
 */
#ifndef FOLLOW_FOLLOWER_H
#define FOLLOW_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/log_format.h"
#include "base/uuid.h"
#include "db/db_invocations.h"
#include "http/connection.h"
#include "http/request.h"
#include "http/response.h"
#include "http/route.h"

#define FOLLOWER_PAGE_BYTES LOG_PAGE_BYTES /* the first log is cut to this size; others are included only if they fit whole */

/* The follower's part of the HTTP API. */
extern const struct route follower_routes[];
extern const size_t follower_route_count;

struct conf;

struct follower {
	struct connection *connection;
	struct request request;
	struct response response;
	char function_id[UUID_TEXT_SIZE]; /* "" until PostgreSQL was asked */
	struct log_place place;
	int64_t limit, deadline_us;
	size_t least; /* the least level of the lines that are wanted, as in struct log_source */
	bool waits;   /* whether it waits if there are no new logs; otherwise it is answered at once */
	struct follower *prev, *next;
};

/*
 * Reads the request from fd, which is stolen. Returns whether PostgreSQL has to be asked; otherwise the request is answered, if
 * possible.
 */
bool follower_begin(struct follower *follower, const struct conf *conf, int fd);

/* The question to ask PostgreSQL for this request. */
struct db_log_asker follower_asker(const struct follower *follower);

/* Make the answer: with logs, or an empty list and the place to continue from. */
void follower_answer(struct follower *follower, const PGresult *logs, const struct db_log_reply *news);
void follower_answer_nothing(struct follower *follower);

/* Sends the answer, if there is one, and frees the follower. */
void follower_end(struct follower **follower);

#endif
