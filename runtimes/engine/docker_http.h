/*
 * HTTP to Docker Engine over its unix socket: libcurl's multi interface on a libuv loop, so nothing blocks. Docker's answers
 * are bounded, and never trusted to be what was asked for.
 */
#ifndef DOCKER_HTTP_H
#define DOCKER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/err.h"

struct docker_http;
struct docker_call;

/*
 * An answer, borrowed for the duration of the callback. status 0: there was none, and error says why; refused: nothing listens
 * on the socket.
 */
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

/* Drops all requests without calling back. Destructor for AUTO; accepts NULL. */
void docker_http_free(struct docker_http **http);

/*
 * Sends a request; path starts with '/'. body: JSON text, which is copied, or NULL. done is called exactly once, never from
 * within this call, at the latest after timeout_ms.
 */
void docker_http_send(struct docker_http *http, const char *method, const char *path, const char *body, int64_t timeout_ms,
		      docker_answer_fn done, void *arg);

/*
 * A GET on a new connection: an engine that is stopping answers on existing connections for a while, but accepts no new ones.
 */
void docker_http_knock(struct docker_http *http, const char *path, int64_t timeout_ms, docker_answer_fn done, void *arg);

/* A GET without a time limit whose body is passed on as it arrives; done is called at its end. */
void docker_http_stream(struct docker_http *http, const char *path, docker_piece_fn piece, docker_answer_fn done, void *arg);

#endif
