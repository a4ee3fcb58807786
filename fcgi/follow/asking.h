/*
 * A connection to PostgreSQL, and what is asked on it for all requests of a list: one statement at a time, whatever their
 * number. A request may leave while its question is under way.
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
 * What is known of one of them; the caller of asking_step may end it then. err NULL: logs and news, as db_log_reply has them.
 */
typedef void (*asking_fn)(struct follower *follower, const struct err *err, const PGresult *logs,
			  const struct db_log_reply *news, void *arg);

/* conf is borrowed. */
struct asking *asking_new(const struct conf *conf, asking_fn told, void *arg);
void asking_free(struct asking **asking); /* destructor for AUTO; accepts NULL */

/* Is there no question under way? */
bool asking_is_free(const struct asking *asking);

/* Asks for all of the list, which has one at least. Asking is free. */
void asking_begin(struct asking *asking, struct follower *list);

/* It is not to be told any more. */
void asking_forget(struct asking *asking, const struct follower *follower);

struct db_async_wait asking_wait(const struct asking *asking);
void asking_step(struct asking *asking, short events);

#endif
