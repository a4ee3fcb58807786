#include "poolmgr/sandbox/warmup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/mem.h"
#include "ipc/frame.h"
#include "poolmgr/catalog/init_payload.h"
#include "poolmgr/sandbox/sandbox.h"

#define MAX_ANSWER_BYTES 65536 /* limit of runtimes/protocol.md */
#define LOG_READS        16    /* a log without end must not hold up the loop */

static uv_loop_t *loop;
static warmup_fn done;

static void finish(struct sandbox *s, const char *why)
{
	sandbox_watch_end(s);
	done(s, why);
}

/* Output is read, because an agent that waits for room in its log socket would not become ready. */
static void drain(struct sandbox *s, enum printed_stream stream, int fd, struct watch **watch)
{
	char text[4096];
	ssize_t n = sizeof(text);

	for (int i = 0; i < LOG_READS && n == sizeof(text); i++) {
		n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
		if (n > 0)
			loaded_add(&s->loaded, stream, text, (size_t)n);
	}
	if (n == 0)
		watch_free(watch);
}

static void on_log(int events, void *arg)
{
	struct sandbox *s = arg;

	(void)events;
	drain(s, PRINTED_STDOUT, s->log_fd, &s->log_watch);
}

static void on_error_log(int events, void *arg)
{
	struct sandbox *s = arg;

	(void)events;
	drain(s, PRINTED_STDERR, s->error_log_fd, &s->error_log_watch);
}

static void take_frame(struct sandbox *s, const struct frame *frame, size_t rest)
{
	if (frame->type == FRAME_INIT_ERROR) {
		/*
		 * The function's own message is only for its callers: it may contain secrets, and this text is shown to anyone.
		 */
		finish(s, "loading its code failed; invoke the function to see the error");
	} else if (frame->type != FRAME_READY || rest > 0) {
		finish(s, "its agent broke the protocol while loading the code");
	} else {
		finish(s, NULL);
	}
}

static void on_control(int events, void *arg)
{
	struct sandbox *s = arg;
	struct frame frame;
	struct err err;

	(void)events;
	ssize_t n = recv(s->control_fd, buf_reserve(&s->in, MAX_ANSWER_BYTES), MAX_ANSWER_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(s, "its process ended while loading the code");
		return;
	}
	s->in.len += (size_t)n;
	ptrdiff_t took = frame_decode(s->in.data, s->in.len, MAX_ANSWER_BYTES, &frame, &err);
	if (took < 0)
		finish(s, err.msg);
	else if (took > 0)
		take_frame(s, &frame, s->in.len - (size_t)took);
}

void warmup_start(struct sandbox *s)
{
	AUTO(mem_free) char *payload = init_payload_new(s->version->spec, s->id);
	AUTO(buf_free) struct buf init = {0};

	sandbox_set_state(s, SANDBOX_WARMING);
	frame_encode(&init, FRAME_INIT, payload, strlen(payload), NULL, 0);
	/* The socket is empty, and has room for far more than the largest environment. */
	if (send(s->control_fd, init.data, init.len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)init.len) {
		finish(s, "its agent does not take INIT");
		return;
	}
	watch_free(&s->control_watch);
	s->control_watch = watch_new(loop, s->control_fd, UV_READABLE | UV_DISCONNECT, on_control, s);
	s->log_watch = watch_new(loop, s->log_fd, UV_READABLE, on_log, s);
	s->error_log_watch = watch_new(loop, s->error_log_fd, UV_READABLE, on_error_log, s);
}

void warmup_tick(int64_t now_us)
{
	struct sandbox *s, *next;

	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_WARMING], s, next)
		if (now_us - s->since_us > s->version->spec->init_timeout_ms * 1000)
			finish(s, "its code was not loaded within init_timeout_ms");
}

void warmup_init(uv_loop_t *l, warmup_fn d)
{
	loop = l;
	done = d;
}
