/*
 * Waits for PostgreSQL: each function returns at its deadline, even when the server hangs. The connection is non-blocking. The
 * heartbeat of the process goes on meanwhile (ipc/heartbeat.h).
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

/* Establishes a connection that db_connect_start began. -1: it failed, or was not ready in time. */
int db_wire_connect(PGconn *conn, int64_t deadline_us);

/* Sends libpq's remaining output and receives the first result; further results are discarded. */
enum db_outcome db_wire_collect(PGconn *conn, int64_t deadline_us, PGresult **result);

/* After the answer to a COPY … FROM STDIN: sends all of data. The result must still be received. */
enum db_outcome db_wire_copy(PGconn *conn, const void *data, size_t len, int64_t deadline_us);

/* Whether the server has closed an idle connection. */
bool db_wire_was_closed(PGconn *conn);

#endif
