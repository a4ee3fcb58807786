#include "tests/unit/poolmgr/fake_worker.h"

#include "tests/unit/poolmgr/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"

static int open_fds[WORKER_CONNECTIONS + 10], open_count;

/* The index of another connection. */
static int connect_one(struct worker *w)
{
	AUTO(mem_free) char *path = mem_printf("%s/poolmgr.sock", rig.dir);
	int fd = fd_connect_unix(path, SOCK_SEQPACKET | SOCK_NONBLOCK, NULL);

	assert_true(fd >= 0 && open_count < (int)ARRAY_SIZE(open_fds) && w->count < WORKER_CONNECTIONS);
	open_fds[open_count++] = fd;
	memset(&w->all[w->count], 0, sizeof(w->all[0]));
	w->all[w->count].fd = fd;
	return w->count++;
}

struct worker worker_connect(void)
{
	struct worker w = {0};

	connect_one(&w);
	w.fd = w.all[0].fd;
	return w;
}

static void close_one(int fd)
{
	for (int i = 0; i < open_count; i++)
		if (open_fds[i] == fd)
			open_fds[i] = open_fds[--open_count];
	fd_close(&fd);
}

void worker_close(struct worker *w)
{
	while (w->count > 0)
		close_one(w->all[--w->count].fd);
	w->fd = -1;
	buf_free(&w->scratch);
}

void worker_close_all(void)
{
	while (open_count > 0)
		fd_close(&open_fds[--open_count]);
}

/* ---- Questions ---- */

static void send_over(int fd, struct ipc_msg *msg)
{
	struct err err;

	assert_ok(ipc_send(fd, msg, &err));
}

void worker_send(struct worker *w, struct ipc_msg *msg)
{
	send_over(w->fd, msg);
}

/* Which slot of the connection has that lease; 0: is free. -1: none. */
static int slot_of(const struct worker *w, int connection, uint64_t lease_id)
{
	for (int i = 0; i < (int)ARRAY_SIZE(w->all[0].leases); i++)
		if (w->all[connection].leases[i] == lease_id)
			return i;
	return -1;
}

/* Over a connection that may ask for a sandbox. */
static uint64_t ask_for_sandbox(struct worker *w, struct ipc_msg *msg)
{
	int i = 0;

	while (i < w->count && (w->all[i].asked != 0 || slot_of(w, i, 0) < 0))
		i++;
	if (i == w->count)
		connect_one(w);
	w->all[i].asked = w->seq;
	send_over(w->all[i].fd, msg);
	return w->seq;
}

/* Over the connection that has the lease; any, when none has. */
static int connection_of(const struct worker *w, uint64_t lease_id)
{
	for (int i = 0; i < w->count; i++)
		if (slot_of(w, i, lease_id) >= 0)
			return i;
	return 0;
}

void worker_hello(struct worker *w, const char *held_sandbox)
{
	struct ipc_msg m = {.type = IPC_HELLO, .hello = {.pid = 4711, .held_sandbox = STR(held_sandbox)}};

	worker_send(w, &m);
}

uint64_t worker_lease_until(struct worker *w, const char *function, uint32_t version, int64_t deadline_us)
{
	struct ipc_msg m = {.type = IPC_LEASE,
			    .lease = {.seq = ++w->seq,
				      .function = STR(function),
				      .version = version,
				      .deadline_us = (uint64_t)deadline_us,
				      .request_id = STR("request")}};

	return ask_for_sandbox(w, &m);
}

uint64_t worker_lease(struct worker *w, const char *function, uint32_t version)
{
	return worker_lease_until(w, function, version, clock_mono_us() + 2 * RIG_TIMEOUT_US);
}

uint64_t worker_check_fd(struct worker *w, const char *spec, int fd, int64_t deadline_us)
{
	struct ipc_msg m = {.type = IPC_CHECK,
			    .check = {.seq = ++w->seq,
				      .spec = STR(spec),
				      .deadline_us = (uint64_t)deadline_us,
				      .request_id = STR("request")}};

	m.fds[0] = fd;
	return ask_for_sandbox(w, &m);
}

uint64_t worker_check_stored(struct worker *w, const json_t *spec)
{
	AUTO(mem_free) char *text = json_dumps(spec, JSON_COMPACT);
	struct ipc_msg m = {.type = IPC_CHECK_STORED,
			    .check_stored = {.seq = ++w->seq,
					     .spec = STR(text),
					     .deadline_us = (uint64_t)(clock_mono_us() + 2 * RIG_TIMEOUT_US),
					     .request_id = STR("request")}};

	json_decref((json_t *)spec);
	return ask_for_sandbox(w, &m);
}

uint64_t worker_check(struct worker *w, const json_t *spec, const struct buf *archive)
{
	AUTO(mem_free) char *text = json_dumps(spec, JSON_COMPACT);
	AUTO(fd_close) int fd = memfd_create("package", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, archive->data, archive->len), archive->len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	json_decref((json_t *)spec);
	return worker_check_fd(w, text, fd, clock_mono_us() + 2 * RIG_TIMEOUT_US);
}

static void give_back(struct worker *w, struct ipc_msg *msg)
{
	int i = connection_of(w, msg->release.lease_id), slot = slot_of(w, i, msg->release.lease_id);

	if (slot >= 0)
		w->all[i].leases[slot] = 0;
	send_over(w->all[i].fd, msg);
}

void worker_release(struct worker *w, uint64_t lease_id, bool destroy)
{
	struct ipc_msg m = {
		.type = IPC_RELEASE,
		.release = {.lease_id = lease_id, .runs = 1, .busy_us = 1000, .reason = destroy ? COUNT_KILL_TIMEOUT : 0}};

	give_back(w, &m);
}

void worker_release_after(struct worker *w, uint64_t lease_id, uint32_t runs, uint64_t busy_us)
{
	struct ipc_msg m = {
		.type = IPC_RELEASE,
		.release = {.lease_id = lease_id, .runs = runs, .busy_us = busy_us},
	};

	give_back(w, &m);
}

void worker_release_last(struct worker *w, uint64_t lease_id, uint8_t last, enum counter reason)
{
	struct ipc_msg m = {
		.type = IPC_RELEASE,
		.release = {.lease_id = lease_id, .runs = 1, .busy_us = 1000, .reason = (uint8_t)reason, .last_id = {{last}}},
	};

	give_back(w, &m);
}

uint64_t worker_invalidate(struct worker *w, const char *function_id, uint32_t version)
{
	struct ipc_msg m = {.type = IPC_INVALIDATE, .invalidate = {.seq = ++w->seq, .version = version}};

	assert_true(uuid_parse(function_id, &m.invalidate.function_id));
	worker_send(w, &m);
	return w->seq;
}

uint64_t worker_postmortem(struct worker *w, uint64_t lease_id)
{
	struct ipc_msg m = {.type = IPC_POSTMORTEM, .postmortem = {.seq = ++w->seq, .lease_id = lease_id}};

	send_over(w->all[connection_of(w, lease_id)].fd, &m);
	return w->seq;
}

void worker_withdraw(struct worker *w, uint64_t seq)
{
	struct ipc_msg m = {.type = IPC_WITHDRAW, .withdraw.seq = seq};
	int i = 0;

	while (w->all[i].asked != seq)
		assert_true(++i < w->count);
	send_over(w->all[i].fd, &m);
}

/* ---- Answers ---- */

static bool has_message(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

bool worker_has_message(const struct worker *w)
{
	for (int i = 0; i < w->count; i++)
		if (has_message(w->all[i].fd))
			return true;
	return false;
}

static bool note_recall(struct worker *w, const struct ipc_msg *m)
{
	assert_true(w->recalls < (int)ARRAY_SIZE(w->recalled));
	w->recalled[w->recalls++] = m->recall.lease_id;
	return true;
}

/* Which connection has one; it is waited for. */
static int readable(const struct worker *w)
{
	int i = 0;

	WAIT_FOR(worker_has_message(w));
	while (!has_message(w->all[i].fd))
		i++;
	return i;
}

/* Returns the connection it came over. */
static int receive(struct worker *w, enum ipc_type type, struct ipc_msg *m)
{
	struct err err;

	int rc, i;

	do {
		i = readable(w);
		rc = ipc_recv(w->all[i].fd, IPC_POOLMGR, 0, &w->scratch, m, &err);
	} while (rc > 0 && m->type == IPC_RECALL && note_recall(w, m));
	if (rc == 0)
		fail_msg("the connection was closed instead of %s", ipc_name(type));
	if (rc < 0)
		fail_msg("%s instead of %s", err.msg, ipc_name(type));
	if (m->type == IPC_DENY && type != IPC_DENY)
		fail_msg("DENY %s (%.*s) instead of %s", problem_name((enum problem_code)m->deny.code), (int)m->deny.detail.len,
			 m->deny.detail.data, ipc_name(type));
	if (m->type != type)
		fail_msg("%s instead of %s", ipc_name(m->type), ipc_name(type));
	return i;
}

/* The answer to a question for a sandbox. */
static int receive_for(struct worker *w, enum ipc_type type, uint64_t seq, struct ipc_msg *m)
{
	int i = receive(w, type, m);

	assert_int_equal(w->all[i].asked, seq);
	w->all[i].asked = 0;
	return i;
}

static void copy_str(char *to, size_t size, struct str from)
{
	assert_true(from.len < size);
	memcpy(to, from.data, from.len);
	to[from.len] = '\0';
}

struct grant worker_granted(struct worker *w, uint64_t seq)
{
	struct ipc_msg m;
	struct grant g = {0};

	int i = receive_for(w, IPC_GRANT, seq, &m);
	assert_int_equal(m.grant.seq, seq);
	g.lease_id = m.grant.lease_id;
	w->all[i].leases[slot_of(w, i, 0)] = g.lease_id;
	g.kind = (enum ipc_start_kind)m.grant.start_kind;
	g.version = m.grant.version;
	g.timeout_ms = m.grant.timeout_ms;
	g.init_timeout_ms = m.grant.init_timeout_ms;
	g.memory_limit_mb = m.grant.memory_limit_mb;
	g.response_bytes = m.grant.response_bytes;
	g.log_bytes = m.grant.log_bytes;
	g.single_use = m.grant.single_use;
	g.usual_us = m.grant.usual_us;
	g.queued_us = m.grant.queued_us;
	uuid_format(&m.grant.function_id, g.function_id);
	copy_str(g.sandbox_id, sizeof(g.sandbox_id), m.grant.sandbox_id);
	copy_str(g.init, sizeof(g.init), m.grant.init);
	copy_str(g.runtime, sizeof(g.runtime), m.grant.runtime);
	copy_str(g.start_cause, sizeof(g.start_cause), m.grant.start_cause);
	copy_str(g.loaded_out, sizeof(g.loaded_out), m.grant.loaded_out);
	g.loaded_lost = m.grant.loaded_lost;
	g.last = m.grant.last_id.bytes[0];
	g.control_fd = m.fds[0];
	g.log_fd = m.fds[1];
	g.error_log_fd = m.fds[2];
	g.cpu_fd = m.fds[3];
	g.memory_fd = m.fds[4];
	g.oom_fd = m.fds[5];
	return g;
}

void worker_close_fds(struct grant *g)
{
	fd_close(&g->control_fd);
	fd_close(&g->log_fd);
	fd_close(&g->error_log_fd);
	fd_close(&g->cpu_fd);
	fd_close(&g->memory_fd);
	fd_close(&g->oom_fd);
}

struct grant worker_take(struct worker *w, const char *function)
{
	struct grant g = worker_granted(w, worker_lease(w, function, 0));

	worker_close_fds(&g);
	return g;
}

void worker_withdrawn(struct worker *w, uint64_t seq)
{
	struct ipc_msg m;

	receive_for(w, IPC_WITHDRAWN, seq, &m);
	assert_int_equal(m.withdrawn.seq, seq);
}

struct denial worker_denied(struct worker *w, uint64_t seq)
{
	struct ipc_msg m;
	struct denial d = {0};

	receive_for(w, IPC_DENY, seq, &m);
	assert_int_equal(m.deny.seq, seq);
	d.code = (enum problem_code)m.deny.code;
	d.reason = (enum throttled)m.deny.reason;
	copy_str(d.detail, sizeof(d.detail), m.deny.detail);
	d.retry_after_ms = m.deny.retry_after_ms;
	d.version = m.deny.version;
	return d;
}

void worker_done(struct worker *w, uint64_t seq)
{
	struct ipc_msg m;

	receive(w, IPC_DONE, &m);
	assert_int_equal(m.done.seq, seq);
}

struct finding worker_finding(struct worker *w, uint64_t seq)
{
	struct ipc_msg m;

	receive(w, IPC_FINDING, &m);
	assert_int_equal(m.finding.seq, seq);
	return (struct finding){m.finding.known, m.finding.out_of_memory, m.finding.exit_code};
}

json_t *worker_stats_new(struct worker *w)
{
	struct ipc_msg m = {.type = IPC_STATS, .stats = {.seq = ++w->seq, .whole = 1}};

	worker_send(w, &m);
	receive(w, IPC_STATS_REPLY, &m);
	assert_int_equal(m.stats_reply.seq, w->seq);
	json_t *json = json_loadb(m.stats_reply.json.data, m.stats_reply.json.len, 0, NULL);
	assert_non_null(json);
	return json;
}

void worker_assert_silent(struct worker *w)
{
	struct worker one = *w;

	for (int i = 0; i < w->count; i++) {
		one.fd = w->all[i].fd;
		json_decref(worker_stats_new(&one));
	}
	one.fd = w->fd;
	*w = one;
}

void worker_wait_for_close(struct worker *w)
{
	char byte;

	WAIT_FOR(worker_has_message(w));
	ssize_t n = recv(w->fd, &byte, 1, MSG_DONTWAIT);
	if (n > 0)
		fail_msg("a message instead of the end of the connection");
}
