/*
 * A connection to PostgreSQL for a process with a loop of its own, which never waits: the owner waits for a descriptor and a
 * time, and steps. It connects by itself, again and again with growing pauses (100 ms to 5 s), and at once when something is
 * asked. Questions are answered one after the other. Deadlines, errors and what is repeated are as in db/db.h.
 */
#ifndef DB_DB_ASYNC_H
#define DB_DB_ASYNC_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "db/db_statement.h"

struct db_async;

/* Called from within db_async_step. */
struct db_async_hooks {
	void (*connected)(void *arg);                     /* for the first time or again; may ask */
	void (*closes)(void *arg);                        /* its socket: the last chance to stop waiting for it; may be NULL */
	void (*lost)(const struct err *why, void *arg);   /* or it did not come about: each time */
	void (*notified)(const char *payload, void *arg); /* with listen */
	void *arg;
};

struct db_async_plan {
	const char *application;                    /* shown in pg_stat_activity */
	const char *listen;                         /* a channel; or NULL */
	const struct db_statement *const *prepared; /* all that are asked and do not vary: prepared at every connect */
	size_t prepared_count;
	struct db_async_hooks hooks;
};

/*
 * Called once for each question, from within db_async_step. err NULL: result, which is borrowed, has the answer. Else err->code
 * is one of db/db_error.h.
 */
typedef void (*db_async_fn)(const struct err *err, const PGresult *result, void *arg);

/* conf and all of plan are borrowed for the life of the object. Connects at the first step, which is due at once. */
struct db_async *db_async_new(const struct conf *conf, const struct db_async_plan *plan);
void db_async_free(struct db_async **db); /* destructor for AUTO; accepts NULL. What was asked is dropped without a word */

/* From now on conf holds, and is borrowed. */
void db_async_set_conf(struct db_async *db, const struct conf *conf);

/* statement and params, and what these borrow, have to stay until done is called. */
void db_async_ask(struct db_async *db, const struct db_statement *statement, const struct db_param *params, db_async_fn done,
		  void *arg);

/* What to wait for. It changes with each call of a function above and with each step. */
struct db_async_wait {
	int fd;              /* -1: none */
	short events;        /* POLLIN, POLLOUT */
	int64_t due_us;      /* monotonic; INT64_MAX: never */
	unsigned connection; /* another number: another socket, even when fd is the same */
};
struct db_async_wait db_async_wait(const struct db_async *db);

/* events came, or (0) it is due. */
void db_async_step(struct db_async *db, short events);

const char *db_async_problem(const struct db_async *db); /* why it is not connected; "" when it is */
int64_t db_async_retry_ms(const struct db_async *db);    /* the pause before the next try to connect */

#endif
