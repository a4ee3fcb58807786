#include "run/link.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define PAUSE_MIN_US    5000 /* pause between attempts to connect; a restart of poolmgr takes at most a second */
#define PAUSE_MAX_US    100000
#define GRACE_US        1000000 /* poolmgr itself answers at the deadline; this much later it is considered stuck */
#define SEND_TIMEOUT_US 1000000

struct link {
	char *path;
	struct link_hooks hooks;
	struct slow_timer *slow_timer;
	int fd;       /* -1: not connected */
	uint64_t seq; /* sequence number of the latest question */
	uint64_t generation;
	char held[64];
	int asker_fd; /* -1: none */
	bool asker_has_left;
	int64_t retry_at_us; /* link_maintain: when to try to connect again; 0: not waiting */
	struct buf scratch;  /* the buffer that the latest message points into */
};

struct link *link_new(const char *run_dir, const struct link_hooks *hooks, struct slow_timer *slow_timer)
{
	struct link *l = mem_alloc(sizeof(*l));

	l->path = mem_printf("%s/%s", run_dir, IPC_SOCKET_NAME);
	l->hooks = *hooks;
	l->slow_timer = slow_timer;
	l->fd = l->asker_fd = -1;
	return l;
}

void link_free(struct link **link)
{
	if (*link == NULL)
		return;
	fd_close(&(*link)->fd);
	mem_free(&(*link)->path);
	buf_free(&(*link)->scratch);
	mem_free(link);
}

void link_set_held(struct link *l, const char *sandbox_id)
{
	text_copy(l->held, sizeof(l->held), sandbox_id, strlen(sandbox_id));
	l->retry_at_us = 0;
}

void link_set_asker(struct link *l, int fd)
{
	l->asker_fd = fd;
	l->asker_has_left = false;
}

bool link_asker_has_left(const struct link *l)
{
	return l->asker_has_left;
}

int link_fd(const struct link *l)
{
	return l->fd;
}

uint64_t link_generation(const struct link *l)
{
	return l->generation;
}

void link_close(struct link *l)
{
	if (l->fd < 0)
		return;
	fd_close(&l->fd);
	if (l->held[0] != '\0')
		l->retry_at_us = clock_mono_us(); /* no descriptor announces what is still to be done */
	l->hooks.lost(l->hooks.arg);
}

/* Tries to connect once. */
static int connect_once(struct link *l, struct err *err)
{
	AUTO(fd_close) int fd = fd_connect_unix(l->path, SOCK_SEQPACKET | SOCK_NONBLOCK, err);
	struct ipc_msg hello = {.type = IPC_HELLO, .hello = {.pid = (uint32_t)getpid(), .held_sandbox = STR(l->held)}};

	if (fd < 0 || ipc_send(fd, &hello, err) < 0)
		return -1;
	l->fd = TAKE_FD(fd);
	l->generation++;
	return 0;
}

/* Sends one message; waits a moment while the socket is full. */
int link_send(struct link *l, const struct ipc_msg *msg, struct err *err)
{
	int64_t deadline_us = clock_mono_us() + SEND_TIMEOUT_US;
	struct err e = {0};

	while (ipc_send(l->fd, msg, &e) < 0) {
		struct pollfd p = {.fd = l->fd, .events = POLLOUT};
		if (e.code != EAGAIN || poll(&p, 1, clock_left_ms(deadline_us)) <= 0) {
			link_close(l);
			if (err != NULL)
				*err = e;
			return -1;
		}
	}
	return 0;
}

static uint64_t answer_seq(const struct ipc_msg *m)
{
	switch (m->type) {
	case IPC_GRANT:
		return m->grant.seq;
	case IPC_DENY:
		return m->deny.seq;
	case IPC_DONE:
		return m->done.seq;
	case IPC_STATS_REPLY:
		return m->stats_reply.seq;
	case IPC_FINDING:
		return m->finding.seq;
	case IPC_WITHDRAWN:
		return m->withdrawn.seq;
	default:
		return 0;
	}
}

static bool is_for_sandbox(enum ipc_type question)
{
	return question == IPC_LEASE || question == IPC_CHECK || question == IPC_CHECK_STORED;
}

/* The answers of other questions than those for a sandbox; a question that is not here has no answer. */
static const enum ipc_type answers[IPC_TYPE_COUNT] = {
	[IPC_INVALIDATE] = IPC_DONE, [IPC_STATS] = IPC_STATS_REPLY, [IPC_POSTMORTEM] = IPC_FINDING};

static bool is_answer(const struct link *l, enum ipc_type question, enum ipc_type m)
{
	if (is_for_sandbox(question))
		return m == IPC_GRANT || m == IPC_DENY || (m == IPC_WITHDRAWN && l->asker_has_left);
	return m == answers[question];
}

enum heard { HEARD_NOTHING, HEARD_ANSWER, HEARD_UNASKED, HEARD_BROKEN };

/*
 * Receives one message, if there is one. RECALL is handled here; any other message is an answer, which the caller must have
 * asked for.
 */
static enum heard hear_one(struct link *l, struct ipc_msg *msg, struct err *err)
{
	int rc = ipc_recv(l->fd, IPC_POOLMGR, 0, &l->scratch, msg, err);

	if (rc < 0 && (err->code == EAGAIN || err->code == EINTR))
		return HEARD_NOTHING;
	if (rc == 0)
		err_set(err, EPROTO, "poolmgr closed the connection");
	if (rc <= 0)
		return HEARD_BROKEN;
	if (msg->type != IPC_RECALL)
		return HEARD_ANSWER;
	l->hooks.recall(msg->recall.lease_id, l->hooks.arg);
	return HEARD_UNASKED;
}

/* Waits for the end of the asker's connection; for nothing if the question is none for a sandbox. */
static struct pollfd asker(const struct link *l, const struct ipc_msg *question)
{
	bool waits = is_for_sandbox(question->type) && !l->asker_has_left;

	return (struct pollfd){.fd = waits ? l->asker_fd : -1, .events = POLLRDHUP};
}

static void pause_before_retry(struct link *l, const struct ipc_msg *question, int64_t us)
{
	struct pollfd p = asker(l, question);

	if (poll(&p, 1, (int)(us / 1000)) > 0)
		l->asker_has_left = true;
}

static int withdraw(struct link *l, struct err *err)
{
	struct ipc_msg m = {.type = IPC_WITHDRAW, .withdraw.seq = l->seq};

	l->asker_has_left = true;
	return link_send(l, &m, err);
}

/* Waits until there is something to read. If the asker leaves meanwhile, withdraws the question, whose answer still comes. */
static int await(struct link *l, const struct ipc_msg *question, int64_t deadline_us, struct err *err)
{
	struct pollfd p[] = {{.fd = l->fd, .events = POLLIN}, asker(l, question)};

	while (slow_timer_poll(l->slow_timer, p, ARRAY_SIZE(p), deadline_us) <= 0)
		if (clock_left_ms(deadline_us) == 0)
			return err_set(err, ETIMEDOUT, "not answered");
	return p[1].revents != 0 ? withdraw(l, err) : 0;
}

/*
 * Asks once: sends the question and receives its answer. On failure the connection is closed, so that a late answer can never
 * be taken for that of the next question; err->code is ETIMEDOUT when poolmgr had its full time.
 */
static int ask_once(struct link *l, const struct ipc_msg *question, int64_t deadline_us, struct ipc_msg *answer,
		    struct err *err)
{
	enum heard heard = HEARD_NOTHING;
	struct err e = {0};

	if (link_send(l, question, err) < 0)
		return -1;
	while (heard == HEARD_NOTHING || heard == HEARD_UNASKED) {
		if (l->fd < 0) /* the connection was lost while another message was sent */
			return err_set(err, EPROTO, "%s: the connection broke", ipc_name(question->type));
		if (await(l, question, deadline_us + GRACE_US, &e) < 0)
			break;
		heard = hear_one(l, answer, &e);
	}
	if (heard == HEARD_ANSWER) {
		if (is_answer(l, question->type, answer->type) && answer_seq(answer) == l->seq)
			return 0;
		ipc_close_fds(answer);
		err_set(&e, EPROTO, "unexpected answer");
	}
	link_close(l);
	return err_set(err, e.code, "%s: %s", ipc_name(question->type), e.msg);
}

/* Returns the last failure; its code only says whether poolmgr was there. */
static int give_up(const struct err *last, struct err *err)
{
	*err = *last;
	err->code = last->code == ETIMEDOUT ? ETIMEDOUT : ECONNREFUSED;
	return -1;
}

int link_ask(struct link *l, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us, struct ipc_msg *answer,
	     struct err *err)
{
	int64_t pause_us = PAUSE_MIN_US;
	struct err e = {0};

	for (;;) {
		*seq = ++l->seq;
		/*
		 * A connection that was idle may lead to a poolmgr that has ended: the first failure of an old connection
		 * causes no pause.
		 */
		bool old = l->fd >= 0;
		if ((old || connect_once(l, &e) == 0) && ask_once(l, question, deadline_us, answer, &e) == 0)
			return 0;
		if (e.code == ETIMEDOUT || e.code == EMSGSIZE || l->asker_has_left || clock_mono_us() + pause_us >= deadline_us)
			return give_up(&e, err);
		if (old)
			continue;
		slow_timer_fire(l->slow_timer);
		pause_before_retry(l, question, pause_us);
		if (l->asker_has_left)
			return give_up(&e, err);
		pause_us = MIN(pause_us * 2, PAUSE_MAX_US);
	}
}

int link_ask_once(struct link *l, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us, struct ipc_msg *answer,
		  struct err *err)
{
	*seq = ++l->seq;
	return ask_once(l, question, deadline_us, answer, err);
}

void link_hear(struct link *l)
{
	enum heard heard = HEARD_UNASKED;
	struct ipc_msg msg;
	struct err err = {0};

	while (l->fd >= 0 && heard == HEARD_UNASKED)
		heard = hear_one(l, &msg, &err);
	if (heard == HEARD_ANSWER) { /* an answer without a question */
		ipc_close_fds(&msg);
		link_close(l);
	} else if (heard == HEARD_BROKEN) {
		link_close(l);
	}
}

int64_t link_maintain_due_us(const struct link *l)
{
	return l->fd < 0 && l->retry_at_us != 0 ? l->retry_at_us : INT64_MAX;
}

void link_maintain(struct link *l)
{
	struct err err = {0};

	if (l->fd >= 0) {
		link_hear(l);
		if (l->fd >= 0)
			return;
		log_sandbox(LOG_WARN, l->held, "poolmgr is gone during an invocation, which goes on");
	}
	l->retry_at_us = connect_once(l, &err) < 0 ? clock_mono_us() + PAUSE_MAX_US : 0;
}
