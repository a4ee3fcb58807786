/*
 * A connection to PostgreSQL for a process that has its own loop. It never waits: the owner waits for the descriptor and the
 * time of db_async_wait, and then calls db_async_step. It connects and reconnects by itself, with growing pauses (100 ms to
 * 5 s), and at once when a question is asked. Questions are answered one after the other. Deadlines, errors and repetitions are
 * those of db/db.h.
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

/* All are called from within db_async_step. */
struct db_async_hooks {
	void (*connected)(void *arg);                   /* connected, for the first time or again; may ask */
	void (*closes)(void *arg);                      /* is about to close its socket: stop waiting for it now; may be NULL */
	void (*lost)(const struct err *why, void *arg); /* the connection was lost, or each time that connecting failed */
	void (*notified)(const char *payload, void *arg); /* a notification came; only with listen */
	void *arg;
};

struct db_async_plan {
	const char *application;                    /* shown in pg_stat_activity */
	const char *listen;                         /* the channel to LISTEN on, or NULL */
	const struct db_statement *const *prepared; /* all statements that do not vary: prepared at every connect */
	size_t prepared_count;
	struct db_async_hooks hooks;
};

/*
 * Called exactly once for each question, from within db_async_step. err NULL: result is the answer, borrowed. Otherwise
 * err->code is one of db/db_error.h.
 */
typedef void (*db_async_fn)(const struct err *err, const PGresult *result, void *arg);

/* conf and all of plan are borrowed for the life of the object. Connects at the first step, which is due at once. */
struct db_async *db_async_new(const struct conf *conf, const struct db_async_plan *plan);
void db_async_free(struct db_async **db); /* destructor for AUTO; accepts NULL. Questions are dropped without an answer */

/* Replaces the configuration. conf is borrowed. */
void db_async_set_conf(struct db_async *db, const struct conf *conf);

/* Asks a question. statement, params and what they borrow must stay valid until done is called. */
void db_async_ask(struct db_async *db, const struct db_statement *statement, const struct db_param *params, db_async_fn done,
		  void *arg);

/* What the owner must wait for. It changes with each call of a function above and with each step. */
struct db_async_wait {
	int fd;              /* -1: none */
	short events;        /* POLLIN, POLLOUT */
	int64_t due_us;      /* monotonic; INT64_MAX: never */
	unsigned connection; /* a different number means a different socket, even if fd is the same */
};
struct db_async_wait db_async_wait(const struct db_async *db);

/* Handles events of the descriptor, or, if events is 0, the time that has come. */
void db_async_step(struct db_async *db, short events);

const char *db_async_problem(const struct db_async *db); /* why it is not connected; "" when it is */
int64_t db_async_retry_ms(const struct db_async *db);    /* the pause before the next try to connect */

#endif
