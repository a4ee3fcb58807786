/*
 * libfcgi wants to accept and close connections itself, and neither suits Berth: its accept blocks where we must also watch for
 * signals, and its close (OS_IpcClose) shuts the socket down and then polls until the web server has closed its end. The two
 * public fields ipcFd and keepConnection avoid this:
 *
 * - a request whose ipcFd is set when FCGX_Accept_r is called reads from there instead of accepting;
 * - with keepConnection set, FCGX_Finish_r ends the request and leaves the socket alone, and we close it;
 * - when what arrives is not FastCGI, FCGX_Accept_r closes the socket and would accept the next one. From listen socket -1
 *   accept() fails with EBADF, so it returns. detached spares us the polling in that close.
 *
 * Closing with unread bytes would make the web server see a reset, so the rest of the body is read first.
 *
 * libfcgi has two further costs, which are acceptable:
 *
 * - Copies. It reads and writes through buffers of 8 KB: each byte of a body is copied from there to us, and each byte of an
 *   answer is copied there. Berth makes no other copies of either. Most requests fit into one buffer. For a megabyte, the 128
 *   system calls that these buffers cause cost more than the copies, and both cost less than nginx's work for it.
 * - Blocking. Its reads and writes wait. nginx connects when it has the whole request, and reads an answer as fast as it is
 *   sent, whatever its client does; anything slower ends at the timeout. A worker has no other work meanwhile. The follower
 *   has, but its requests have no body and so arrive at once, and its answers have at most a few megabytes.
 */
#include "http/connection.h"

#include <errno.h>
#include <fcgiapp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "base/mem.h"

/* The bytes that a new socket takes even if they are not read: less than half of the default of net.core.wmem_default. */
#define FITS_BYTES 65536

struct connection {
	FCGX_Request request;
	int64_t timeout_ms;
};

int connection_new(struct connection **connection, struct err *err)
{
	/* libfcgi replaces the default action of these two signals by handlers that stop all further I/O. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	if (FCGX_Init() != 0)
		return err_set(err, errno, "initialise libfcgi");
	*connection = mem_alloc(sizeof(**connection));
	FCGX_InitRequest(&(*connection)->request, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	return 0;
}

void connection_free(struct connection **connection)
{
	if (*connection == NULL)
		return;
	fd_close(&(*connection)->request.ipcFd);
	(*connection)->request.keepConnection = 1;
	FCGX_Free(&(*connection)->request, 0);
	mem_free(connection);
}

static int set_timeout(int fd, int option, int64_t timeout_ms, struct err *err)
{
	struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

	if (setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)) < 0)
		return err_set(err, errno, "set the timeout of a FastCGI connection");
	return 0;
}

int connection_begin(struct connection *connection, int fd, int64_t timeout_ms, struct err *err)
{
	FCGX_Request *r = &connection->request;
	AUTO(fd_close) int owned = fd;

	if (set_timeout(fd, SO_RCVTIMEO, timeout_ms, err) < 0)
		return -1;
	connection->timeout_ms = timeout_ms;
	r->ipcFd = TAKE_FD(owned);
	r->keepConnection = 1;
	r->detached = 1;
	if (FCGX_Accept_r(r) < 0) /* libfcgi has closed ipcFd and set it to -1 */
		return err_set(err, 0, "the connection sent no FastCGI request in time");
	return 0;
}

const char *connection_variable(const struct connection *connection, const char *name)
{
	return FCGX_GetParam(name, connection->request.envp);
}

int connection_read(struct connection *connection, size_t len, struct buf *body, struct err *err)
{
	if (len > INT_MAX)
		return err_set(err, EMSGSIZE, "a body of %zu bytes", len);
	char *to = buf_reserve(body, len);
	int n = FCGX_GetStr(to, (int)len, connection->request.in);
	if ((size_t)n != len)
		return err_set(err, 0, "the body ended after %d of %zu bytes", n, len);
	body->len += len;
	body->data[body->len] = '\0';
	return 0;
}

static bool drain(FCGX_Stream *in)
{
	char rest[8192];

	while (FCGX_GetStr(rest, sizeof(rest), in) == sizeof(rest))
		;
	return FCGX_GetError(in) == 0;
}

bool connection_is_gone(const struct connection *connection)
{
	struct pollfd p = {.fd = connection->request.ipcFd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}

int connection_fd(const struct connection *connection)
{
	return connection->request.ipcFd;
}

static void finish(FCGX_Request *r)
{
	r->keepConnection = 1;
	FCGX_Finish_r(r);
	fd_close(&r->ipcFd);
}

void connection_abandon(struct connection *connection)
{
	shutdown(connection->request.ipcFd, SHUT_RDWR); /* otherwise Finish would try to write until a timeout */
	finish(&connection->request);
}

static bool put(FCGX_Stream *out, const struct str *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].len > INT_MAX || FCGX_PutStr(parts[i].data, (int)parts[i].len, out) < 0)
			return false;
	return true;
}

int connection_end(struct connection *connection, const struct str *parts, size_t count, struct err *err)
{
	FCGX_Request *r = &connection->request;
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	bool fits = len <= FITS_BYTES || set_timeout(r->ipcFd, SO_SNDTIMEO, connection->timeout_ms, err) == 0;
	if (!fits || !drain(r->in) || !put(r->out, parts, count)) {
		connection_abandon(connection);
		return err_set(err, 0, "the web server closed the connection, or took too long, before it had the answer");
	}
	finish(r);
	return 0;
}
