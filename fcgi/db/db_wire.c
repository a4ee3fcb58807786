#include "db/db_wire.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/heartbeat.h"

#define COPY_CHUNK (64u << 10)

void db_wire_close(PGconn **conn)
{
	PQfinish(*conn);
	*conn = NULL;
}

void db_result_clear(PGresult **result)
{
	PQclear(*result);
	*result = NULL;
}

/* Waits for the socket; returns the events, or 0 at the deadline. */
static short wait_socket(PGconn *conn, short events, int64_t deadline_us)
{
	struct pollfd p = {.fd = PQsocket(conn), .events = events};
	int n;

	do {
		heartbeat_now();
		n = poll(&p, 1, clock_left_ms(heartbeat_due_us(deadline_us)));
	} while ((n < 0 && errno == EINTR) || (n == 0 && clock_left_ms(deadline_us) > 0));
	return n > 0 ? p.revents : 0;
}

int db_wire_connect(PGconn *conn, int64_t deadline_us)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK) {
		if (status == PGRES_POLLING_FAILED || PQstatus(conn) == CONNECTION_BAD)
			return -1;
		if (wait_socket(conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us) == 0)
			return -1;
		status = PQconnectPoll(conn);
	}
	return PQsetnonblocking(conn, 1);
}

/* Sends libpq's remaining output. Reads meanwhile, so that the two sides do not wait for each other to read. */
static enum db_outcome flush(PGconn *conn, int64_t deadline_us)
{
	int rc;

	while ((rc = PQflush(conn)) == 1) {
		short events = wait_socket(conn, POLLIN | POLLOUT, deadline_us);
		if (events == 0)
			return DB_SILENT;
		if ((events & POLLIN) && !PQconsumeInput(conn))
			return DB_LOST;
	}
	return rc == 0 ? DB_DONE : DB_LOST;
}

static enum db_outcome next_result(PGconn *conn, int64_t deadline_us, PGresult **result)
{
	while (PQisBusy(conn)) {
		if (wait_socket(conn, POLLIN, deadline_us) == 0)
			return DB_SILENT;
		if (!PQconsumeInput(conn))
			return DB_LOST;
	}
	*result = PQgetResult(conn);
	return DB_DONE;
}

enum db_outcome db_wire_collect(PGconn *conn, int64_t deadline_us, PGresult **result)
{
	AUTO(db_result_clear) PGresult *first = NULL;
	enum db_outcome outcome = flush(conn, deadline_us);

	while (outcome == DB_DONE) {
		AUTO(db_result_clear) PGresult *r = NULL;
		outcome = next_result(conn, deadline_us, &r);
		if (outcome != DB_DONE || r == NULL)
			break;
		bool copying = PQresultStatus(r) == PGRES_COPY_IN;
		if (first == NULL)
			first = TAKE_PTR(r);
		if (copying)
			break;
	}
	if (outcome == DB_DONE && first == NULL)
		outcome = DB_LOST;
	if (outcome == DB_DONE)
		*result = TAKE_PTR(first);
	return outcome;
}

/* Sent in pieces, so that libpq never has a second copy of all data. */
enum db_outcome db_wire_copy(PGconn *conn, const void *data, size_t len, int64_t deadline_us)
{
	enum db_outcome outcome = DB_DONE;

	for (size_t sent = 0; sent < len && outcome == DB_DONE;) {
		size_t n = MIN(len - sent, COPY_CHUNK);
		if (PQputCopyData(conn, (const char *)data + sent, (int)n) != 1)
			return DB_LOST;
		sent += n;
		outcome = flush(conn, deadline_us);
	}
	if (outcome == DB_DONE && PQputCopyEnd(conn, NULL) != 1)
		outcome = DB_LOST;
	return outcome;
}

bool db_wire_was_closed(PGconn *conn)
{
	while (wait_socket(conn, POLLIN, 0) != 0) {
		if (!PQconsumeInput(conn))
			return true;
		PQisBusy(conn); /* lets libpq read what has arrived without a statement */
	}
	return PQstatus(conn) == CONNECTION_BAD;
}
