/*
 * A throw-away PostgreSQL for one test program: its own cluster in a temporary directory, reachable by a unix socket there and
 * by nothing else. As root it runs as the user postgres. Whatever fails ends the test program, and with it the server.
 */
#ifndef SUPPORT_PG_SCRATCH_H
#define SUPPORT_PG_SCRATCH_H

#include <libpq-fe.h>

#include "base/defs.h"
#include "conf/conf.h"

struct pg_scratch;

struct pg_scratch *pg_scratch_new(void); /* initialised and started */
void pg_scratch_free(struct pg_scratch **pg);

/* The server goes at once, its clients' connections break; and comes back. */
void pg_scratch_stop(struct pg_scratch *pg);
void pg_scratch_start(struct pg_scratch *pg);

/* An empty database with all of migrations/ applied. */
void pg_scratch_reset(struct pg_scratch *pg);

/* An empty database as it was after migration last; and the migrations that came later. */
void pg_scratch_reset_to(struct pg_scratch *pg, int last);
void pg_scratch_migrate_from(struct pg_scratch *pg, int first);

/* The default configuration, with this database and short timeouts. The caller may change it, and frees it: conf_free. */
struct conf *pg_scratch_conf(const struct pg_scratch *pg);

/* Runs SQL over a connection of its own; returns the first column of the first row, "" when there is none. Free it. */
char *pg_scratch_value(struct pg_scratch *pg, const char *fmt, ...) PRINTF_LIKE(2, 3);
long pg_scratch_number(struct pg_scratch *pg, const char *fmt, ...) PRINTF_LIKE(2, 3);
void pg_scratch_exec(struct pg_scratch *pg, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
