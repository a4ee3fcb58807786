/*
 * One FastCGI request on one connection that the process accepted itself: libfcgi reads and writes the protocol, but does not
 * own the connection. One object serves the whole life of a process. No other file uses libfcgi.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fields.h"

struct connection;

/* Call it once per process, before the first request. Ignores SIGPIPE. */
int connection_new(struct connection **connection, struct err *err);
void connection_free(struct connection **connection); /* destructor for AUTO; accepts NULL */

/*
 * Takes fd, a blocking stream socket, and reads the request's variables. No single read or write takes longer than timeout_ms.
 * On failure there is no request and fd is closed.
 */
int connection_begin(struct connection *connection, int fd, int64_t timeout_ms, struct err *err);

/* A CGI variable; NULL when there is none. Valid until connection_end. */
const char *connection_variable(const struct connection *connection, const char *name);

/* Appends exactly len bytes of the body. */
int connection_read(struct connection *connection, size_t len, struct buf *body, struct err *err);

/* Whether the web server has closed the connection, so that no answer is needed. */
bool connection_is_gone(const struct connection *connection);

/* Its descriptor, to be watched for the end that connection_is_gone looks for; borrowed. */
int connection_fd(const struct connection *connection);

/* Ends the request without an answer, and closes the connection. */
void connection_abandon(struct connection *connection);

/* Sends the answer (CGI headers and body) in parts, ends the request and closes the connection, even on failure. */
int connection_end(struct connection *connection, const struct str *parts, size_t count, struct err *err);

#endif
