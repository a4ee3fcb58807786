/*
 * One request that follows the logs of a function: from its connection to its answer. Nothing here asks PostgreSQL: the answer
 * is made of what it has said.
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

#define FOLLOWER_PAGE_BYTES LOG_PAGE_BYTES /* the first log is told as far as it fits, others only whole */

struct conf;

struct follower {
	struct connection *connection;
	struct request request;
	struct response response;
	char function_id[UUID_TEXT_SIZE]; /* "" until it is known */
	struct log_place place;
	int64_t limit, deadline_us;
	bool waits; /* when there is nothing to tell; else it is told so at once */
	struct follower *prev, *next;
};

/* Reads the request from fd, which is stolen. Returns whether there is something to find out: else it is answered, if it can
 * be. */
bool follower_begin(struct follower *follower, const struct conf *conf, int fd);

/* What is asked for it. */
struct db_log_asker follower_asker(const struct follower *follower);

/* One of these answers. Nothing: the place to go on from. */
void follower_tell(struct follower *follower, const PGresult *logs, const struct db_log_reply *news);
void follower_tell_nothing(struct follower *follower);

/* Sends the answer, if there is one, and frees it. */
void follower_end(struct follower **follower);

#endif
