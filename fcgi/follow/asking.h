/*
 * A connection to PostgreSQL on which one statement at a time asks for the logs of all requests of a list, whatever their
 * number. A request may end while the statement is under way.
 */
#ifndef FOLLOW_ASKING_H
#define FOLLOW_ASKING_H

#include <stdbool.h>

#include "db/db_async.h"
#include "db/db_invocations.h"
#include "follow/follower.h"

struct asking;
struct conf;

/*
 * Called for each request with the result, from within asking_step; it may end the request. err NULL: logs is the result and
 * news the reply of db_log_reply.
 */
typedef void (*asking_fn)(struct follower *follower, const struct err *err, const PGresult *logs,
			  const struct db_log_reply *news, void *arg);

/* conf is borrowed. */
struct asking *asking_new(const struct conf *conf, asking_fn told, void *arg);
void asking_free(struct asking **asking); /* destructor for AUTO; accepts NULL */

/* Whether no statement is under way. */
bool asking_is_free(const struct asking *asking);

/*
 * Asks for the first requests of the list, which is not empty, and returns how many: all of them, or fewer after a statement
 * that took too long. Then none of its requests was told anything, so that one that is expensive costs only itself its answer:
 * each statement has half as many requests as one that took too long, and only a request that was alone in it is told so. No
 * statement may be under way.
 */
size_t asking_begin(struct asking *asking, struct follower *list);

/* The follower ends: told will not be called for it. */
void asking_forget(struct asking *asking, const struct follower *follower);

struct db_async_wait asking_wait(const struct asking *asking);
void asking_step(struct asking *asking, short events);

#endif
