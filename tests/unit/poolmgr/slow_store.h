/* A PostgreSQL that does not answer what poolmgr asks. */
#ifndef UNIT_POOLMGR_SLOW_STORE_H
#define UNIT_POOLMGR_SLOW_STORE_H

#include "tests/support/pg_scratch.h"

/* Lookups wait until the connection is closed with PQfinish, and are answered then. */
PGconn *slow_store_lock(const char *conninfo);

/* Lookups never end, not even at the last moment of a server that is stopped. slow_store_cure makes new ones end again. */
char *slow_store_hang_new(struct pg_scratch *pg);
void slow_store_cure(struct pg_scratch *pg, char **definition);

#endif
