/*
 * Waiting for PostgreSQL: each function returns at its deadline, even when the server hangs. The connection does not block.
 * While it waits the process's pulse beats (ipc/pulse.h).
 */
#ifndef DB_DB_WIRE_H
#define DB_DB_WIRE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db_error.h"

void db_wire_close(PGconn **conn);       /* destructor for AUTO */
void db_result_clear(PGresult **result); /* the same */

/* From db_connect_start to a connection that is ready. -1: there is none, in time or at all. */
int db_wire_connect(PGconn *conn, int64_t deadline_us);

/* Sends what libpq still holds, and receives the first result; those after it only matter to libpq. */
enum db_outcome db_wire_collect(PGconn *conn, int64_t deadline_us, PGresult **result);

/* After a COPY … FROM STDIN was answered: sends all of data. The result is still to be collected. */
enum db_outcome db_wire_copy(PGconn *conn, const void *data, size_t len, int64_t deadline_us);

/* Whether the server has closed a connection that was idle. */
bool db_wire_was_closed(PGconn *conn);

#endif
