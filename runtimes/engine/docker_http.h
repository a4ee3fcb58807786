/*
 * HTTP to Docker Engine over its unix socket: libcurl's multi interface on a libuv loop, so nothing blocks. What Docker answers
 * is bounded and never trusted to be what was asked for.
 */
#ifndef DOCKER_HTTP_H
#define DOCKER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/err.h"

struct docker_http;
struct docker_call;

/* An answer, borrowed for the time of the callback. status 0: there was none, and error says why; refused: nobody listens. */
struct docker_answer {
	int status;
	const char *body; /* NUL-terminated */
	size_t len;
	const char *error;
	bool refused;
};

typedef void (*docker_answer_fn)(const struct docker_answer *answer, void *arg);

/* Called with each piece of a streamed body. */
typedef void (*docker_piece_fn)(const char *data, size_t len, void *arg);

int docker_http_new(uv_loop_t *loop, const char *socket_path, struct docker_http **http, struct err *err);

/* Drops what is under way without calling back. Destructor for AUTO; accepts NULL. */
void docker_http_free(struct docker_http **http);

/*
 * One request; path starts with '/'. body NULL: none, else JSON text, copied. done is called exactly once, never from within
 * this call, at the latest after timeout_ms.
 */
void docker_http_send(struct docker_http *http, const char *method, const char *path, const char *body, int64_t timeout_ms,
		      docker_answer_fn done, void *arg);

/*
 * A GET on a connection of its own: an engine that stops answers on those it has for a while, but takes no new ones.
 */
void docker_http_knock(struct docker_http *http, const char *path, int64_t timeout_ms, docker_answer_fn done, void *arg);

/* A GET whose body is handed on as it comes, without end in time; done tells its end. */
void docker_http_stream(struct docker_http *http, const char *path, docker_piece_fn piece, docker_answer_fn done, void *arg);

#endif
