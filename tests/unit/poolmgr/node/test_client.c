/* Workers' connections: what a worker may say, what happens to one that breaks a rule, and that the others do not notice. */
#include "tests/unit/poolmgr/node/client_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/fdpass.h"
#include "poolmgr/node/client.h"

static void send_bytes(const struct worker *w, const void *data, size_t len)
{
	assert_int_equal(send(w->fd, data, len, MSG_NOSIGNAL), len);
}

static void workers_come_and_go(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();

	(void)state;
	WAIT_FOR(client_count() == 2);
	worker_close(&one);
	WAIT_FOR(client_count() == 1);
	worker_assert_silent(&two);
}

static void a_worker_that_sends_garbage_is_closed_and_no_other(void **state)
{
	AUTO(buf_free) struct buf lease = {0};
	struct ipc_msg m = {.type = IPC_LEASE, .lease = {.function = STR("f")}};
	AUTO(worker_close) struct worker good = worker_connect();
	struct err err;

	(void)state;
	assert_ok(ipc_encode(&m, &lease, &err));
	char unknown_type = IPC_TYPE_COUNT, empty_hello = IPC_HELLO;
	buf_add_u8(&lease, 0);
	const struct {
		const char *data;
		size_t len;
	} garbage[] = {
		{"\xff\xff\xff\xff", 4},
		{&unknown_type, 1},
		{&empty_hello, 1},
		{lease.data, lease.len},
		{lease.data, lease.len - 2},
		{lease.data, 3},
		{"GET / HTTP/1.0\r\n\r\n", 18},
		{"", 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		AUTO(worker_close) struct worker bad = worker_connect();
		send_bytes(&bad, garbage[i].data, garbage[i].len);
		worker_wait_for_close(&bad);
		worker_assert_silent(&good);
	}
	WAIT_FOR(client_count() == 1);
}

static void a_datagram_longer_than_any_message_closes_the_connection(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	char *large = mem_alloc(IPC_MAX_SIZE + 1);

	(void)state;
	send_bytes(&w, large, IPC_MAX_SIZE + 1);
	worker_wait_for_close(&w);
	free(large);
}

static void a_worker_that_speaks_as_poolmgr_is_closed(void **state)
{
	static const enum ipc_type types[] = {IPC_GRANT,   IPC_DENY,   IPC_DONE,          IPC_STATS_REPLY, IPC_RECALL,
					      IPC_FINDING, IPC_CGROUP, IPC_CGROUP_FAILED, IPC_CGROUP_OPEN, IPC_CGROUP_KILL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		AUTO(worker_close) struct worker w = worker_connect();
		struct ipc_msg m = {.type = types[i]};
		for (int j = 0; j < IPC_MAX_FDS; j++)
			m.fds[j] = w.fd;
		worker_send(&w, &m);
		worker_wait_for_close(&w);
	}
}

static void descriptors_where_none_belong_close_the_connection_and_do_not_leak(void **state)
{
	AUTO(worker_close) struct worker bystander = worker_connect();
	AUTO(buf_free) struct buf stats = {0};
	AUTO(buf_free) struct buf check = {0};
	struct ipc_msg m = {.type = IPC_STATS}, c = {.type = IPC_CHECK, .check = {.spec = STR("{}")}};
	struct err err;

	(void)state;
	assert_ok(ipc_encode(&m, &stats, &err));
	assert_ok(ipc_encode(&c, &check, &err));
	worker_assert_silent(&bystander);
	int before = unit_open_fds();
	for (int count = 0; count <= IPC_MAX_FDS; count++) {
		AUTO(worker_close) struct worker w = worker_connect();
		int fds[IPC_MAX_FDS] = {w.fd, w.fd, w.fd, w.fd, w.fd, w.fd};
		const struct buf *data = count == 0 ? &check : &stats; /* a CHECK without its archive is no better */
		assert_ok(fdpass_send(w.fd, data->data, data->len, fds, count, &err));
		worker_wait_for_close(&w);
	}
	assert_int_equal(unit_open_fds(), before);
}

static void a_worker_that_does_not_read_is_closed_and_no_other(void **state)
{
	AUTO(worker_close) struct worker slow = worker_connect();
	AUTO(worker_close) struct worker good = worker_connect();
	struct ipc_msg m = {.type = IPC_STATS};
	struct err err;

	(void)state;
	WAIT_FOR(client_count() == 2);
	while (client_count() == 2) {
		if (ipc_send(slow.fd, &m, &err) < 0 && err.code != EAGAIN)
			break;
		rig_turn();
	}
	WAIT_FOR(client_count() == 1);
	worker_assert_silent(&good);
}

static void a_worker_that_ends_without_reading_its_answers_is_like_any_other(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	worker_lease(&w, "any", 0);
	WAIT_FOR(worker_has_message(&w));
	worker_close(&w); /* while the answer is on its way */
	WAIT_FOR(client_count() == 0);
	assert_int_equal(client_rig.gone, 1);
}

/* The kernel tells of what it did not read before it hands out what it sent. */
static void what_a_worker_said_before_it_ended_counts_though_it_read_nothing_more(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct ipc_msg m = {.type = IPC_STATS};

	(void)state;
	worker_send(&w, &m);
	WAIT_FOR(worker_has_message(&w));
	worker_release(&w, 1, false);
	worker_release(&w, 2, false);
	worker_close(&w); /* with the STATS_REPLY unread */
	WAIT_FOR(client_count() == 0);
	assert_int_equal(client_rig.releases, 2);
}

/* ---- More than a worker has reason to ask for ---- */

static void send_lease(const struct worker *w, const char *function)
{
	struct ipc_msg m = {.type = IPC_LEASE,
			    .lease = {.seq = 1,
				      .function = STR(function),
				      .deadline_us = (uint64_t)(clock_mono_us() + 2 * RIG_TIMEOUT_US),
				      .request_id = STR("")}};
	struct err err;

	assert_ok(ipc_send(w->fd, &m, &err));
}

static void send_check(const struct worker *w)
{
	AUTO(fd_close) int fd = memfd_create("package", MFD_CLOEXEC);
	struct ipc_msg m = {.type = IPC_CHECK,
			    .check = {.seq = 1,
				      .spec = STR("{}"),
				      .deadline_us = (uint64_t)(clock_mono_us() + 2 * RIG_TIMEOUT_US),
				      .request_id = STR("")},
			    .fds = {fd, -1, -1, -1, -1, -1}};
	struct err err;

	assert_ok(ipc_send(w->fd, &m, &err));
}

static void a_worker_that_asks_for_a_second_sandbox_before_it_has_the_first_is_closed_and_no_other(void **state)
{
	AUTO(worker_close) struct worker good = worker_connect();

	(void)state;
	client_rig.keeps_open = true;
	worker_lease(&good, "any", 0);
	for (int way = 0; way < 2; way++) {
		AUTO(worker_close) struct worker w = worker_connect();
		send_check(&w);
		WAIT_FOR(client_rig.open == 2 + way);
		if (way == 0)
			send_check(&w);
		else
			send_lease(&w, "any");
		worker_wait_for_close(&w);
		WAIT_FOR(client_count() == 1);
		assert_int_equal(client_rig.open, 2 + way); /* it was not accepted */
	}
	worker_assert_silent(&good);
}

static void a_worker_that_has_its_answer_may_ask_again(void **state)
{
	AUTO(fd_close) int fd = memfd_create("package", MFD_CLOEXEC);
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	for (int i = 0; i < 3; i++) {
		worker_denied(&w, worker_lease(&w, "any", 0));
		worker_denied(&w, worker_check_fd(&w, "{}", fd, clock_mono_us() + 2 * RIG_TIMEOUT_US));
	}
	assert_int_equal(w.count, 1);
}

static void a_worker_says_hello_once(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	worker_hello(&w, "");
	worker_assert_silent(&w);
	worker_hello(&w, "aaaaaaaaaaaaaaaa");
	worker_wait_for_close(&w);
}

static void more_connections_than_there_can_be_workers_are_refused(void **state)
{
	struct worker *w = mem_alloc(100 * sizeof(*w));
	int most = 2 * 10 + 64;

	(void)state;
	rig.conf->invoke_max_workers = 4;
	rig.conf->control_workers = 1;
	rig.conf->deploy_max_workers = 2;
	rig.conf->query_workers = 3;
	for (int i = 0; i < most; i++) {
		w[i] = worker_connect();
		WAIT_FOR(client_count() == i + 1);
	}
	AUTO(worker_close) struct worker one_more = worker_connect();
	worker_wait_for_close(&one_more);
	worker_assert_silent(&w[0]);
	worker_close(&w[0]);
	WAIT_FOR(client_count() == most - 1);
	AUTO(worker_close) struct worker another = worker_connect();
	worker_assert_silent(&another);
	for (int i = 1; i < most; i++)
		worker_close(&w[i]);
	free(w);
}

/* ---- Out of descriptors ---- */

static int count_lines(int fd, const char *words)
{
	char text[8192];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	int count = 0;

	text[MAX(n, 0)] = '\0';
	for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
		count++;
	return count;
}

int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);

static int accept_error; /* 0: as it comes */
static int accept_calls;

/* A real shortage would hit the test as well. */
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	accept_calls++;
	if (accept_error == 0)
		return __real_accept4(fd, address, len, flags);
	errno = accept_error;
	return -1;
}

static void without_descriptors_workers_wait_and_the_loop_does_not_spin(void **state)
{
	AUTO(worker_close) struct worker known = worker_connect();
	int ends[2];

	(void)state;
	worker_assert_silent(&known);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	AUTO(fd_close) int log = ends[0];
	AUTO(fd_close) int written = ends[1];
	AUTO(fd_close) int saved = dup(STDERR_FILENO);
	for (int episode = 0; episode < 2; episode++) {
		AUTO(worker_close) struct worker late = worker_connect(); /* the kernel takes it */
		accept_error = episode == 0 ? EMFILE : ENFILE;
		accept_calls = 0;
		dup2(written, STDERR_FILENO);
		int64_t start_us = clock_mono_us();
		WAIT_FOR(accept_calls == 3);
		dup2(saved, STDERR_FILENO);
		assert_true(clock_mono_us() - start_us >= 150000); /* two pauses; libuv's clock may be a little behind */
		assert_int_equal(count_lines(log, "cannot accept workers"), 1);
		assert_int_equal(client_count(), 1);
		accept_error = 0;
		worker_assert_silent(&late);
		assert_int_equal(client_count(), 2);
		worker_close(&late);
		WAIT_FOR(client_count() == 1);
	}
}

static void messages_sent_in_one_go_are_answered_in_their_order(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	uint64_t seq[20];

	(void)state;
	worker_hello(&w, "");
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		seq[i] = worker_invalidate(&w, "0198c0de-0000-7000-8000-000000000001", 1);
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		worker_done(&w, seq[i]);
}

/* Last: nobody listens afterwards. */
static void the_end_closes_all_connections(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();

	(void)state;
	WAIT_FOR(client_count() == 2);
	client_deinit();
	assert_int_equal(client_count(), 0);
	worker_wait_for_close(&one);
	worker_wait_for_close(&two);
	assert_int_equal(client_rig.gone, 2);
}

/* ---- Who connects, going by its user: in a process of its own, which says something and waits for what comes ---- */

enum outcome { CONNECTION_CLOSED = 10, ANSWERED, NO_CONNECTION };

static int speak_as(uid_t uid, const struct ipc_msg *m)
{
	AUTO(mem_free) char *path = mem_printf("%s/poolmgr.sock", rig.dir);
	char byte;

	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return NO_CONNECTION;
	int fd = fd_connect_unix(path, SOCK_SEQPACKET, NULL);
	if (fd < 0)
		return NO_CONNECTION;
	ipc_send(fd, m, NULL); /* the other end may be closed already */
	return recv(fd, &byte, 1, 0) > 0 ? ANSWERED : CONNECTION_CLOSED;
}

static void show_socket(void)
{
	AUTO(mem_free) char *path = mem_printf("%s/poolmgr.sock", rig.dir);

	assert_int_equal(chmod(rig.dir, 0711), 0);
	assert_int_equal(chmod(path, 0666), 0);
}

/* others: connections there are besides. */
static int outcome_for(uid_t uid, const struct ipc_msg *m, int others)
{
	int status = 0;
	pid_t ended;

	show_socket();
	pid_t pid = fork();
	if (pid == 0)
		_exit(speak_as(uid, m));
	WAIT_FOR((ended = waitpid(pid, &status, WNOHANG)) != 0);
	assert_int_equal(ended, pid);
	WAIT_FOR(client_count() == others);
	return WEXITSTATUS(status);
}

static void only_workers_are_served_and_each_kind_says_what_it_has_to_say(void **state)
{
	enum { INVOKE = 61001, CONTROL = 61002, COLLECTOR = 61003 };
	const struct ipc_msg invalidation = {.type = IPC_INVALIDATE, .fds = IPC_NO_FDS, .invalidate.seq = 1};
	const struct ipc_msg question = {.type = IPC_STATS, .fds = IPC_NO_FDS, .stats.seq = 1};
	const struct ipc_msg lease = {.type = IPC_LEASE, .fds = IPC_NO_FDS, .lease = {.seq = 1, .function = STR("f")}};

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("not root");
	client_rig.users[0] = INVOKE;
	client_rig.users[1] = CONTROL;
	assert_int_equal(outcome_for(COLLECTOR, &invalidation, 0), CONNECTION_CLOSED);
	assert_int_equal(outcome_for(COLLECTOR, &lease, 0), CONNECTION_CLOSED);
	assert_int_equal(outcome_for(INVOKE, &invalidation, 0), CONNECTION_CLOSED);
	assert_int_equal(outcome_for(INVOKE, &question, 0), CONNECTION_CLOSED);
	assert_int_equal(outcome_for(INVOKE, &lease, 0), ANSWERED);
	assert_int_equal(outcome_for(CONTROL, &lease, 0), CONNECTION_CLOSED);
	assert_int_equal(outcome_for(CONTROL, &invalidation, 0), ANSWERED);
	assert_int_equal(outcome_for(0, &question, 0), ANSWERED);
	client_rig.users[0] = client_rig.users[1] = geteuid();
}

/* Opens as many connections as it can, says so, and has them until life ends. Exits with 0 when there were just so many. */
static void hoard_as(uid_t uid, int most, int said_fd, int life_fd)
{
	AUTO(mem_free) char *path = mem_printf("%s/poolmgr.sock", rig.dir);
	char byte = 0;
	int fd = -1;

	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(NO_CONNECTION);
	for (int i = 0; i <= most; i++)
		fd = fd_connect_unix(path, SOCK_SEQPACKET, NULL);
	bool is_refused = recv(fd, &byte, 1, 0) <= 0;
	_exit(write(said_fd, &byte, 1) == 1 && read(life_fd, &byte, 1) == 0 && is_refused ? 0 : 1);
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0;
}

static void workers_of_one_kind_that_take_all_their_connections_leave_the_others_theirs(void **state)
{
	enum { INVOKE = 61001, CONTROL = 61002, OF_INVOKE = 2 * 4 + 64 };
	const struct ipc_msg invalidation = {.type = IPC_INVALIDATE, .fds = IPC_NO_FDS, .invalidate.seq = 1};
	const struct ipc_msg question = {.type = IPC_STATS, .fds = IPC_NO_FDS, .stats.seq = 1};
	const struct ipc_msg lease = {.type = IPC_LEASE, .fds = IPC_NO_FDS, .lease = {.seq = 1, .function = STR("f")}};
	int said[2], life[2], status;

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("not root");
	rig.conf->invoke_max_workers = 4;
	rig.conf->control_workers = rig.conf->deploy_max_workers = rig.conf->query_workers = 2;
	client_rig.users[0] = INVOKE;
	client_rig.users[1] = CONTROL;
	show_socket();
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	assert_int_equal(pipe2(life, O_CLOEXEC), 0);
	pid_t hoarder = fork();
	if (hoarder == 0) {
		close(life[1]);
		hoard_as(INVOKE, OF_INVOKE, said[1], life[0]);
	}
	close(said[1]);
	WAIT_FOR(is_readable(said[0]));
	assert_int_equal(client_count(), OF_INVOKE);
	assert_int_equal(outcome_for(INVOKE, &lease, OF_INVOKE), CONNECTION_CLOSED);
	assert_int_equal(outcome_for(CONTROL, &invalidation, OF_INVOKE), ANSWERED);
	assert_int_equal(outcome_for(0, &question, OF_INVOKE), ANSWERED);
	close(life[1]);
	WAIT_FOR(client_count() == 0);
	assert_int_equal(waitpid(hoarder, &status, 0), hoarder);
	assert_int_equal(status, 0);
	assert_int_equal(outcome_for(INVOKE, &lease, 0), ANSWERED);
	close(said[0]);
	close(life[0]);
	client_rig.users[0] = client_rig.users[1] = geteuid();
}

static int each(void **state)
{
	int rc = client_rig_each(state);

	accept_error = 0;
	return rc;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, client_rig_nothing_leaks)
	const struct CMUnitTest tests[] = {
		TEST(workers_come_and_go),
		TEST(a_worker_that_sends_garbage_is_closed_and_no_other),
		TEST(a_datagram_longer_than_any_message_closes_the_connection),
		TEST(a_worker_that_speaks_as_poolmgr_is_closed),
		TEST(descriptors_where_none_belong_close_the_connection_and_do_not_leak),
		TEST(a_worker_that_does_not_read_is_closed_and_no_other),
		TEST(a_worker_that_ends_without_reading_its_answers_is_like_any_other),
		TEST(what_a_worker_said_before_it_ended_counts_though_it_read_nothing_more),
		TEST(a_worker_that_asks_for_a_second_sandbox_before_it_has_the_first_is_closed_and_no_other),
		TEST(a_worker_that_has_its_answer_may_ask_again),
		TEST(a_worker_says_hello_once),
		TEST(more_connections_than_there_can_be_workers_are_refused),
		TEST(without_descriptors_workers_wait_and_the_loop_does_not_spin),
		TEST(messages_sent_in_one_go_are_answered_in_their_order),
		TEST(only_workers_are_served_and_each_kind_says_what_it_has_to_say),
		TEST(workers_of_one_kind_that_take_all_their_connections_leave_the_others_theirs),
		TEST(the_end_closes_all_connections),
	};

	return cmocka_run_group_tests(tests, client_rig_set_up, client_rig_tear_down);
}
