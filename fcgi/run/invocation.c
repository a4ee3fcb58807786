#include "run/invocation.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/trim.h"
#include "http/json_text.h"
#include "ipc/frame.h"
#include "output/printed.h"
#include "run/agent_error.h"
#include "run/last_words.h"
#include "run/meter.h"
#include "runtimes/driver.h"

#define READ_SIZE       65536
#define META_MAX        128   /* maximum length of the first line of a RESULT */
#define INVOKE_META_MAX 320   /* maximum length of the first line of an INVOKE */
#define FRAME_EXTRA     65536 /* a frame may be this much longer than response_bytes */
#define LOG_DRAIN_READS 16    /* bounded, so that an endless log does not delay the answer */

/* INIT and INVOKE, which are sent without a copy from the lease and from the request's body. */
struct outgoing {
	char init_header[FRAME_HEADER_SIZE];
	char invoke_head[FRAME_HEADER_SIZE + INVOKE_META_MAX];
	struct iovec parts[4];
	struct iovec *unsent;
	size_t unsent_count; /* number of unsent parts; the first may be partly sent */
};

struct invocation {
	const struct conf *conf;
	struct lease_client *client;
	struct slow_timer *slow_timer;

	/* The state of the current invocation. */
	struct lease *lease;
	struct outcome *outcome;
	int log_fds[PRINTED_STREAMS]; /* -1 after its end */
	struct buf in;                /* received from the control socket; the latest frame is still at its front */
	size_t taken;                 /* length of that frame */
	struct outgoing out;          /* to be sent to the control socket */
	struct printed printed;
	struct printed_log log, late;
	bool loads_ahead;  /* what is printed is for the first invocation */
	int64_t begun_us;  /* arrival of the request; monotonic */
	bool log_is_read;  /* number of bytes printed before the latest ones */
	bool passed_over;  /* there was an answer to another invocation */
	bool unread;       /* the agent ended before it had read everything that was sent to it */
	struct err broken; /* why EVENT_BROKEN */
};

enum event {
	EVENT_FRAME,
	EVENT_TIMEOUT,
	EVENT_CLOSED, /* the agent is gone */
	EVENT_BROKEN, /* it broke the protocol */
	EVENT_NONE,
};

struct invocation *invocation_new(const struct conf *conf, struct lease_client *client, struct slow_timer *slow_timer)
{
	struct invocation *v = mem_alloc(sizeof(*v));

	v->conf = conf;
	v->client = client;
	v->slow_timer = slow_timer;
	return v;
}

void invocation_free(struct invocation **invocation)
{
	if (*invocation == NULL)
		return;
	buf_free(&(*invocation)->in);
	printed_free(&(*invocation)->printed);
	printed_log_free(&(*invocation)->log);
	printed_log_free(&(*invocation)->late);
	mem_free(invocation);
}

void invocation_trim(struct invocation *v)
{
	trim_buf(&v->in);
	printed_trim(&v->printed, &v->log);
	printed_log_trim(&v->late);
}

void outcome_clear(struct outcome *outcome)
{
	problem_clear(&outcome->problem);
	*outcome = OUTCOME_NONE;
}

/* Reads some of the function's output. False: there is no more now. */
static bool read_log_once(struct invocation *v, enum printed_stream stream)
{
	char *to = printed_reserve(&v->printed, stream, READ_SIZE);
	ssize_t n = v->log_fds[stream] >= 0 ? recv(v->log_fds[stream], to, READ_SIZE, MSG_DONTWAIT) : 0;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		v->log_fds[stream] = -1; /* poll would report its end forever */
	if (n <= 0)
		return false;
	if (v->loads_ahead)
		loaded_add(&v->lease->loaded, stream, to, (size_t)n);
	printed_take(&v->printed, stream, (size_t)n, (clock_mono_us() - v->begun_us) / 1000);
	return n == READ_SIZE;
}

static void drain_log(struct invocation *v)
{
	for (enum printed_stream stream = 0; stream < PRINTED_STREAMS; stream++)
		for (int i = 0; i < LOG_DRAIN_READS && read_log_once(v, stream); i++)
			;
}

static bool ran_before(const struct lease *lease)
{
	static const struct uuid none;

	return memcmp(&lease->last.id, &none, sizeof(none)) != 0;
}

/*
 * Ensures a clean start: nothing of the previous invocation may count as this one's; what it has printed since its answer is
 * late output. If there are bytes on the control socket now, or if it has ended, or if the kept sandbox was recalled, returns
 * -1.
 */
static int begin(struct invocation *v, struct lease *lease, struct outcome *outcome)
{
	bool was_kept = v->client != NULL && lease->runs > 0;
	struct pollfd p[] = {
		{.fd = lease->control_fd, .events = POLLIN},
		{.fd = lease->log_fd, .events = POLLIN},
		{.fd = lease->error_log_fd, .events = POLLIN},
		{.fd = was_kept ? lease_watch_fd(v->client) : -1, .events = POLLIN},
	};

	*outcome = OUTCOME_NONE;
	v->lease = lease;
	v->outcome = outcome;
	v->log_fds[PRINTED_STDOUT] = lease->log_fd;
	v->log_fds[PRINTED_STDERR] = lease->error_log_fd;
	v->taken = 0;
	v->out.unsent = v->out.parts;
	v->out.unsent_count = 0;
	v->log_is_read = v->passed_over = v->unread = false;
	buf_reset(&v->in);
	printed_begin(&v->printed, lease->log_bytes, lease->mask, ran_before(lease));
	loaded_give(&lease->loaded, &v->printed);

	meter_begin(&lease->meter, clock_mono_us());
	outcome->background_us = lease->meter.background_us;
	int found = poll(p, ARRAY_SIZE(p), 0);
	if (found > 0 && (p[1].revents | p[2].revents) != 0)
		drain_log(v);
	printed_late(&v->printed);
	if (found <= 0)
		return 0;
	if (p[3].revents != 0)
		lease_hear(v->client);
	if (p[0].revents == 0 && (!was_kept || lease_is_ours(v->client)))
		return 0;
	outcome->kind = OUTCOME_UNTOUCHED;
	if (p[0].revents == 0) {
		problem_set(&outcome->problem, PROBLEM_OVERLOADED, NULL,
			    "The pool manager took the sandbox back; the function was not run");
		return -1;
	}
	outcome->destroy_reason = p[0].revents & POLLHUP ? COUNT_KILL_EXITED_IDLE : COUNT_KILL_UNASKED;
	problem_set(&outcome->problem, PROBLEM_SANDBOX_EXITED, NULL, "The function's sandbox %s; the function was not run",
		    p[0].revents & POLLHUP ? "ended while it was idle" : "sent unexpected data");
	return -1;
}

static void queue(struct outgoing *out, const void *data, size_t len)
{
	out->unsent[out->unsent_count++] = (struct iovec){.iov_base = (void *)data, .iov_len = len};
}

static void count_sent(struct outgoing *out, size_t n)
{
	while (out->unsent_count > 0 && n >= out->unsent->iov_len) {
		n -= out->unsent->iov_len;
		out->unsent++;
		out->unsent_count--;
	}
	if (n > 0) {
		out->unsent->iov_base = (char *)out->unsent->iov_base + n;
		out->unsent->iov_len -= n;
	}
}

/*
 * Writes as much as the socket takes. If the agent no longer reads, the rest is dropped, because it may still have sent the
 * reason.
 */
static void flush(struct invocation *v)
{
	struct outgoing *out = &v->out;

	while (out->unsent_count > 0) {
		struct msghdr m = {.msg_iov = out->unsent, .msg_iovlen = out->unsent_count};
		ssize_t n = sendmsg(v->lease->control_fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			v->unread = true;
			out->unsent_count = 0;
			return;
		}
		count_sent(out, (size_t)n);
	}
}

/* Makes room for the rest of the current frame, or for one read. frame_decode has checked its length against the limit. */
static size_t next_read_size(const struct invocation *v)
{
	size_t want = READ_SIZE;

	if (v->in.len >= FRAME_HEADER_SIZE) {
		size_t whole = FRAME_HEADER_SIZE + (size_t)buf_get_u32(v->in.data);
		want = whole > v->in.len ? MAX(want, whole - v->in.len) : want;
	}
	return want;
}

static enum event read_control(struct invocation *v)
{
	size_t size = next_read_size(v);
	char *to = buf_reserve(&v->in, size);
	ssize_t n = recv(v->lease->control_fd, to, size, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return EVENT_NONE;
	if (n <= 0) {
		v->unread = v->unread || (n < 0 && errno == ECONNRESET);
		return EVENT_CLOSED;
	}
	v->in.len += (size_t)n;
	return EVENT_NONE;
}

/* Waits for bytes in either direction, the deadline, or the end of poolmgr, and transfers the bytes. */
static enum event wait_once(struct invocation *v, int64_t deadline_us)
{
	int64_t watch_due_us = v->client != NULL ? lease_watch_due_us(v->client) : INT64_MAX;
	struct pollfd p[] = {
		{.fd = v->lease->control_fd, .events = (short)(v->out.unsent_count > 0 ? POLLIN | POLLOUT : POLLIN)},
		{.fd = v->log_fds[PRINTED_STDOUT], .events = POLLIN},
		{.fd = v->log_fds[PRINTED_STDERR], .events = POLLIN},
		{.fd = v->client != NULL ? lease_watch_fd(v->client) : -1, .events = POLLIN},
	};

	if (clock_left_ms(deadline_us) == 0)
		return EVENT_TIMEOUT;
	if (slow_timer_poll(v->slow_timer, p, ARRAY_SIZE(p), MIN(deadline_us, watch_due_us)) < 0)
		return EVENT_NONE; /* EINTR */
	if (p[3].revents != 0 || clock_mono_us() >= watch_due_us)
		lease_watch(v->client);
	for (enum printed_stream stream = 0; stream < PRINTED_STREAMS; stream++)
		if (p[1 + stream].revents != 0)
			read_log_once(v, stream);
	/*
	 * Output is read before the answer, because poll() checks one descriptor after the other and the agent prints before it
	 * answers.
	 */
	v->log_is_read = (p[1].revents | p[2].revents) == 0;
	if (p[0].revents & POLLOUT)
		flush(v);
	return p[0].revents & ~POLLOUT ? read_control(v) : EVENT_NONE;
}

/* Waits for the next frame or another event. The previous frame becomes invalid. */
static enum event next_event(struct invocation *v, int64_t deadline_us, struct frame *frame)
{
	size_t max_payload = (size_t)v->lease->response_bytes + FRAME_EXTRA;
	enum event event = EVENT_NONE;

	buf_consume(&v->in, v->taken);
	v->taken = 0;
	flush(v);
	while (event == EVENT_NONE) {
		ptrdiff_t n = frame_decode(buf_str(&v->in), v->in.len, max_payload, frame, &v->broken);
		if (n > 0)
			v->taken = (size_t)n;
		if (n != 0)
			return n > 0 ? EVENT_FRAME : EVENT_BROKEN;
		event = wait_once(v, deadline_us);
	}
	return event;
}

static enum event broken(struct invocation *v, const char *what)
{
	err_set(&v->broken, 0, "%s", what);
	return EVENT_BROKEN;
}

/* Makes the outcome a failure and the sandbox unusable. */
static void fail(struct invocation *v, enum counter destroy_reason, enum problem_code code, json_t *members, const char *detail)
{
	v->outcome->kind = OUTCOME_FAILURE;
	v->outcome->destroy_reason = destroy_reason;
	problem_set(&v->outcome->problem, code, members, "%s", detail);
}

/* Measures what was used. Known values stay, because the files may be gone. */
static void read_meter(struct invocation *v)
{
	struct meter *m = &v->lease->meter;
	struct outcome *o = v->outcome;

	meter_read(m, clock_mono_us());
	o->cpu_us = MAX(o->cpu_us, m->cpu_us);
	o->memory_bytes = MAX(o->memory_bytes, m->memory_bytes);
}

static void fail_out_of_memory(struct invocation *v, const char *phase)
{
	int64_t limit_mb = v->lease->memory_limit_mb;
	char detail[200];

	read_meter(v);
	/* The cgroup may be gone already, but a process was killed because the limit was reached. */
	if (v->outcome->memory_bytes == 0)
		v->outcome->memory_bytes = limit_mb << 20;
	snprintf(detail, sizeof(detail),
		 "The function exceeded its memory_limit_mb of %" PRId64 "; raise it or use less memory (/tmp counts)",
		 limit_mb);
	fail(v, COUNT_KILL_MEMORY, PROBLEM_OUT_OF_MEMORY,
	     json_pack("{s:I, s:I, s:s}", "limit_mb", (json_int_t)limit_mb, "peak_mb",
		       (json_int_t)(v->outcome->memory_bytes >> 20), "phase", phase),
	     detail);
}

/* Describes the exit code of a sandbox's first process: "was killed by SIGKILL". */
static void describe_end(const struct finding *f, json_t *members, char *out, size_t size)
{
	const char *signal = f->exit_code > 128 && f->exit_code < 128 + NSIG ? sigabbrev_np((int)f->exit_code - 128) : NULL;

	if (!f->known) {
		snprintf(out, size, "closed its connection");
	} else if (signal != NULL) {
		json_object_set_new(members, "signal", json_sprintf("SIG%s", signal));
		snprintf(out, size, "was killed by SIG%s", signal);
	} else {
		json_object_set_new(members, "exit_code", json_integer((json_int_t)f->exit_code));
		snprintf(out, size, "exited with code %u", f->exit_code);
	}
}

/*
 * Whether the agent, which had loaded its function for an earlier invocation, has ended with a part of INVOKE unread: the
 * kernel resets a unix socket whose other end is closed with unread bytes. gVisor shuts its end down before it closes it, so
 * there the connection may end some time before the reset.
 */
static bool left_unread(struct invocation *v)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (!v->unread && getsockopt(v->lease->control_fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0)
		v->unread = error == ECONNRESET;
	return v->unread && v->lease->init.len == 0;
}

/*
 * The sandbox has ended of what an earlier invocation, or loading, left behind: an agent begins an invocation only when it has
 * read all of INVOKE (runtimes/protocol.md), so this one was not begun.
 */
static void leave_untouched(struct invocation *v)
{
	v->outcome->kind = OUTCOME_UNTOUCHED;
	v->outcome->destroy_reason = COUNT_KILL_EXITED_IDLE;
	problem_set(&v->outcome->problem, PROBLEM_SANDBOX_EXITED, NULL,
		    "The function's sandbox ended before it had read the request; the function was not run");
}

/* Whether the process was ended by a signal because its interpreter had no more memory, and said so. */
static bool gave_up_memory(struct invocation *v, const struct finding *f)
{
	if (!f->known || f->exit_code <= 128)
		return false;
	drain_log(v);
	return last_words_out_of_memory(printed_end(&v->printed, PRINTED_STDERR));
}

/* Finds out why the agent is gone. */
static void fail_ended(struct invocation *v, const char *phase)
{
	struct finding finding = {0};
	char how[80], detail[300];

	if (meter_out_of_memory(&v->lease->meter)) {
		fail_out_of_memory(v, phase);
		return;
	}
	read_meter(v); /* measured now, because the cgroup will be gone when Docker has an answer */
	if (v->client != NULL && !left_unread(v)) {
		slow_timer_fire(v->slow_timer);
		finding = lease_postmortem(v->client, v->lease);
	}
	if (finding.out_of_memory || gave_up_memory(v, &finding)) {
		fail_out_of_memory(v, phase);
		return;
	}
	if (left_unread(v)) { /* asked again, because the answer may be known only when the agent has ended */
		leave_untouched(v);
		return;
	}
	json_t *members = json_pack("{s:s}", "phase", phase);
	describe_end(&finding, members, how, sizeof(how));
	snprintf(detail, sizeof(detail), "The process %s before returning a result", how);
	fail(v, COUNT_KILL_EXITED, PROBLEM_SANDBOX_EXITED, members, detail);
}

static bool hangs_without_memory(const struct invocation *v)
{
	const struct driver *d = driver_find(v->lease->runtime);

	return d != NULL && d->hangs_without_memory;
}

/* Makes the outcome when no frame came. */
static void fail_without_frame(struct invocation *v, enum event event, const char *phase, int64_t limit_ms)
{
	char detail[700];

	if (event == EVENT_TIMEOUT) {
		if (hangs_without_memory(v) && meter_out_of_memory(&v->lease->meter)) {
			fail_out_of_memory(v, phase);
			return;
		}
		snprintf(detail, sizeof(detail), "The function did not %s within %" PRId64 " ms; raise %s or do less",
			 strcmp(phase, "init") == 0 ? "finish loading" : "return", limit_ms,
			 strcmp(phase, "init") == 0 ? "init_timeout_ms" : "timeout_ms");
		fail(v, COUNT_KILL_TIMEOUT, PROBLEM_FUNCTION_TIMEOUT,
		     json_pack("{s:I, s:s}", "limit_ms", (json_int_t)limit_ms, "phase", phase), detail);
		return;
	}
	if (event == EVENT_CLOSED) {
		fail_ended(v, phase);
		return;
	}
	snprintf(detail, sizeof(detail), "The function's process broke the protocol: %s", v->broken.msg);
	fail(v, COUNT_KILL_PROTOCOL, PROBLEM_SANDBOX_EXITED, json_pack("{s:s}", "phase", phase), detail);
	log_sandbox(LOG_WARN, v->lease->sandbox_id, "protocol broken in %s: %s", phase, v->broken.msg);
}

/* "Type: message", as much as fits. */
static void describe(const struct agent_error *e, char *out, size_t size)
{
	const char *type = agent_error_type(e), *message = agent_error_message(e);
	size_t room = size > strlen(type) + 3 ? size - strlen(type) - 3 : 0;

	snprintf(out, size, "%s: %.*s", type, (int)json_text_cut(message, strlen(message), room), message);
}

static int parse_error(struct invocation *v, const struct frame *frame, struct agent_error *e)
{
	return agent_error_parse(frame->payload, frame->len, v->lease->mask, e, &v->broken);
}

static bool is_out_of_memory(const struct agent_error *e)
{
	return strcmp(e->kind, "out_of_memory") == 0;
}

static enum event take_init_error(struct invocation *v, const struct frame *frame)
{
	static const struct {
		const char *kind;
		enum init_failure failure;
	} kinds[] = {{"syntax", INIT_SYNTAX}, {"handler", INIT_HANDLER}};
	AUTO(agent_error_clear) struct agent_error e = {0};
	char detail[900];

	if (parse_error(v, frame, &e) < 0)
		return EVENT_BROKEN;
	v->outcome->init_failure = INIT_EXCEPTION;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, e.kind) == 0)
			v->outcome->init_failure = kinds[i].failure;
	v->outcome->init_line = e.line > 0 ? e.line : 0;
	if (is_out_of_memory(&e)) {
		fail_out_of_memory(v, "init");
		return EVENT_FRAME;
	}
	describe(&e, detail, sizeof(detail));
	fail(v, COUNT_KILL_INIT_ERROR, PROBLEM_INIT_ERROR, json_pack("{s:O}", "error", e.error), detail);
	return EVENT_FRAME;
}

/* Waits for READY. -1: the outcome is a failure. */
static int await_ready(struct invocation *v)
{
	int64_t limit_ms = v->lease->init_timeout_ms, start_us = clock_mono_us();
	struct frame frame;

	enum event event = next_event(v, start_us + limit_ms * 1000, &frame);
	v->outcome->init_us = clock_mono_us() - start_us;
	if (event == EVENT_FRAME && frame.type == FRAME_READY)
		return 0;
	if (event == EVENT_FRAME)
		event = frame.type == FRAME_INIT_ERROR ? take_init_error(v, &frame) : broken(v, "not READY after INIT");
	if (event != EVENT_FRAME) {
		v->outcome->init_failure = event == EVENT_TIMEOUT ? INIT_TIMEOUT : INIT_EXITED;
		fail_without_frame(v, event, "init", limit_ms);
	}
	return -1;
}

static void too_large(struct invocation *v, enum counter destroy_reason, int64_t size)
{
	json_int_t limit = v->lease->response_bytes;
	char detail[160];

	snprintf(detail, sizeof(detail), "The output has %" PRId64 " bytes; the limit is %lld (response_bytes)", size,
		 (long long)limit);
	fail(v, destroy_reason, PROBLEM_RESPONSE_TOO_LARGE, json_pack("{s:I, s:I}", "limit", limit, "actual", (json_int_t)size),
	     detail);
}

/*
 * Handles an answer to another invocation. If a function has answered instead of its agent, the agent's own answer may arrive
 * during the next invocation, which still needs its own: one such answer is skipped, and the sandbox is then destroyed.
 */
static enum event pass_over(struct invocation *v)
{
	if (v->passed_over)
		return broken(v, "answers to other invocations");
	v->passed_over = true;
	return EVENT_NONE;
}

/*
 * The first line of a RESULT only has the invocation's id, in exactly one form (runtimes/protocol.md), so it is compared
 * without parsing.
 */
static bool is_result_of(const char *line, size_t len, const char *id)
{
	char wanted[META_MAX];
	struct text t = TEXT(wanted);

	text_add_str(&t, "{\"invocation_id\":\"");
	text_add_str(&t, id);
	text_add_str(&t, "\"}");
	return len == t.len && memcmp(line, wanted, len) == 0;
}

static enum event take_result(struct invocation *v, const struct frame *frame, const char *id)
{
	const char *meta, *output;
	size_t meta_len, output_len;
	struct json_scan_error e;
	char detail[400];

	if (frame_split(frame, &meta, &meta_len, &output, &output_len, &v->broken) < 0)
		return EVENT_BROKEN;
	if (!is_result_of(meta, meta_len, id))
		return pass_over(v);
	if (output_len > (size_t)v->lease->response_bytes) {
		too_large(v, 0, (int64_t)output_len);
		return EVENT_FRAME;
	}
	/* The output is copied into the answer unchanged, so it must be JSON; its content does not matter. */
	if (json_scan(output, output_len, NULL, &e) < 0) {
		snprintf(detail, sizeof(detail), "The output is not valid JSON, line %zu column %zu: %s", e.line, e.column,
			 e.what);
		/* No correct agent sends that, so the function has written it. */
		fail(v, COUNT_KILL_FORGED, PROBLEM_INVALID_OUTPUT, NULL, detail);
		return EVENT_FRAME;
	}
	v->outcome->output = (struct str){output, (uint32_t)output_len};
	return EVENT_FRAME;
}

static enum event take_error(struct invocation *v, const struct frame *frame, const char *id)
{
	AUTO(agent_error_clear) struct agent_error e = {0};
	char detail[900];

	if (parse_error(v, frame, &e) < 0)
		return EVENT_BROKEN;
	if (strcmp(e.invocation_id, id) != 0)
		return pass_over(v);
	enum counter destroy_reason = e.exiting ? COUNT_KILL_EXITED_ERROR : 0;
	describe(&e, detail, sizeof(detail));
	if (is_out_of_memory(&e))
		fail_out_of_memory(v,
				   "exec"); /* what the function holds may still be there, so the sandbox is not used again */
	else if (strcmp(e.kind, "response_too_large") == 0)
		too_large(v, destroy_reason, e.size_bytes);
	else if (strcmp(e.kind, "invalid_output") == 0)
		fail(v, destroy_reason, PROBLEM_INVALID_OUTPUT, json_pack("{s:O}", "error", e.error), detail);
	else
		fail(v, destroy_reason, PROBLEM_FUNCTION_ERROR, json_pack("{s:O}", "error", e.error), detail);
	return EVENT_FRAME;
}

static enum event take_answer(struct invocation *v, const struct frame *frame, const char *id)
{
	switch (frame->type) {
	case FRAME_RESULT:
		return take_result(v, frame, id);
	case FRAME_ERROR:
		return take_error(v, frame, id);
	default:
		return broken(v, "neither RESULT nor ERROR after INVOKE");
	}
}

/* Waits for the answer to INVOKE. The function's timeout begins here. */
static void await_result(struct invocation *v, const char *id)
{
	int64_t limit_ms = v->lease->timeout_ms, start_us = clock_mono_us();
	struct frame frame;

	/* READY may have arrived together with the next frame; the output between them is not read yet then. */
	v->log_is_read = false;

	/* If the function usually takes longer, the worker gives up its turn now, after INVOKE was sent. */
	flush(v);
	slow_timer_expect(v->slow_timer, start_us + v->lease->usual_us);

	enum event event = EVENT_NONE;
	while (event == EVENT_NONE) {
		event = next_event(v, start_us + limit_ms * 1000, &frame);
		v->outcome->exec_us = clock_mono_us() - start_us;
		if (event == EVENT_FRAME)
			event = take_answer(v, &frame, id);
	}
	if (event != EVENT_FRAME)
		fail_without_frame(v, event, "exec", limit_ms);
	else if ((v->passed_over || v->in.len > v->taken) && v->outcome->destroy_reason == 0)
		v->outcome->destroy_reason = COUNT_KILL_UNASKED;
}

static struct str str_of(const struct buf *b)
{
	return (struct str){buf_str(b), (uint32_t)b->len};
}

/* Makes the outcome of what was printed. */
static void tell_printed(struct invocation *v)
{
	struct outcome *o = v->outcome;
	struct last *last = &v->lease->last;
	int64_t late_ms = (clock_wall_us() - (clock_mono_us() - v->begun_us) - last->requested_at_us) / 1000;

	printed_finish(&v->printed, &v->log, &v->late, last->room, late_ms);
	o->log = str_of(&v->log.text);
	o->log_times = str_of(&v->log.times);
	o->log_streams = str_of(&v->log.streams);
	o->log_levels = str_of(&v->log.levels);
	o->log_bytes = v->log.bytes;
	o->late = (struct late){.of = *last,
				.log = str_of(&v->late.text),
				.log_times = str_of(&v->late.times),
				.log_streams = str_of(&v->late.streams),
				.log_levels = str_of(&v->late.levels),
				.log_bytes = v->late.bytes,
				.failures = v->printed.failures};
	last->room -= o->late.log.len;
}

/* The agent flushes the output before it answers, so all of it can be read now. */
static void finish(struct invocation *v)
{
	if (!v->log_is_read)
		drain_log(v);
	if (v->outcome->kind == OUTCOME_UNTOUCHED)
		printed_late(&v->printed);
	tell_printed(v);
	read_meter(v);
}

static void queue_init(struct invocation *v)
{
	struct outgoing *out = &v->out;
	const struct buf *init = &v->lease->init;

	frame_header(out->init_header, FRAME_INIT, init->len);
	queue(out, out->init_header, sizeof(out->init_header));
	queue(out, init->data, init->len);
}

static void queue_invoke(struct invocation *v, const struct invocation_input *input)
{
	struct text meta = {v->out.invoke_head + FRAME_HEADER_SIZE, INVOKE_META_MAX, 0};

	text_add_str(&meta, "{\"invocation_id\":\"");
	text_add_str(&meta, input->id);
	text_add_str(&meta, "\",\"request_id\":\"");
	text_add_str(&meta, input->request_id);
	text_add_str(&meta, "\",\"remaining_ms\":");
	text_add_decimal(&meta, v->lease->timeout_ms, 1);
	if (input->traceparent[0] != '\0') {
		text_add_str(&meta, ",\"traceparent\":\"");
		text_add_str(&meta, input->traceparent);
		text_add_str(&meta, "\"");
	}
	text_add_str(&meta, "}\n");
	frame_header(v->out.invoke_head, FRAME_INVOKE, meta.len + input->body_len);
	queue(&v->out, v->out.invoke_head, FRAME_HEADER_SIZE + meta.len);
	queue(&v->out, input->body, input->body_len);
}

void invocation_run(struct invocation *v, struct lease *lease, const struct invocation_input *input, struct outcome *outcome)
{
	bool needs_init = lease->init.len > 0;

	v->begun_us = input->begun_us;
	v->loads_ahead = false;
	if (begin(v, lease, outcome) < 0) {
		tell_printed(v);
		return;
	}
	/* Sends both at once, so that INVOKE is already there when the agent has loaded the function. */
	if (needs_init)
		queue_init(v);
	queue_invoke(v, input);
	if (!needs_init || await_ready(v) == 0)
		await_result(v, input->id);
	finish(v);
	if (outcome->kind != OUTCOME_UNTOUCHED)
		lease->last = (struct last){input->uuid, input->requested_at_us, lease->log_bytes - outcome->log.len};
}

void invocation_init(struct invocation *v, struct lease *lease, struct outcome *outcome)
{
	v->begun_us = clock_mono_us();
	v->loads_ahead = true;
	if (begin(v, lease, outcome) < 0)
		return;
	queue_init(v);
	if (await_ready(v) == 0 && v->in.len > v->taken)
		outcome->destroy_reason = COUNT_KILL_UNASKED;
	finish(v);
}
