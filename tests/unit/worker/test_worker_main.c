/* A whole invoke worker, between a web server, a poolmgr and an agent that are the test's. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "conf/conf.h"
#include "ipc/heritage.h"
#include "ipc/record.h"
#include "ipc/scoreboard.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

struct fixture {
	char *dir;
	struct conf *conf;
	struct scoreboard *board;
	struct fake_poolmgr poolmgr;
	int board_fd, life_fd; /* the master's end */
	pid_t worker;
	struct buf answer; /* the last one, as CGI text */
};

static void become_worker(const struct fixture *f, int life_fd, int listen_fd)
{
	struct heritage h = {.role = CHILD_INVOKE, .slot = 0, .conf = f->conf};
	int board = fcntl(f->board_fd, F_DUPFD, 20), life = fcntl(life_fd, F_DUPFD, 20),
	    listener = fcntl(listen_fd, F_DUPFD, 20);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	dup2(board, HERITAGE_SCOREBOARD_FD);
	dup2(life, HERITAGE_LIFE_FD);
	dup2(listener, HERITAGE_LISTEN_FD);
	close(board);
	close(life);
	close(listener);
	_exit(worker_main(&h));
}

static void start_worker(struct fixture *f)
{
	AUTO(fd_close) int dir = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd_close) int listen_fd = -1;
	int life[2];
	struct err err = {0};

	listen_fd = fd_listen_unix(dir, "invoke.sock", SOCK_STREAM, 0600, 16, &err);
	assert_true(listen_fd >= 0);
	assert_int_equal(pipe2(life, O_CLOEXEC), 0);
	f->worker = fork();
	if (f->worker == 0) {
		close(life[1]);
		become_worker(f, life[0], listen_fd);
	}
	close(life[0]);
	f->life_fd = life[1];
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = {0};

	*state = f; /* here, so that the worker's copy of it is no leak */
	f->dir = unit_make_dir();
	assert_ok(conf_load_file(NULL, &f->conf, &err));
	free(f->conf->master_state_dir);
	f->conf->master_state_dir = strdup(f->dir);
	free(f->conf->master_run_dir);
	f->conf->master_run_dir = strdup(f->dir);
	f->conf->limits_request_bytes = 8 << 20;
	assert_ok(scoreboard_create(1, &f->board, &f->board_fd, &err));
	start_worker(f);
	return 0;
}

static int wait_for_worker(struct fixture *f)
{
	int status;

	assert_int_equal(waitpid(f->worker, &status, 0), f->worker);
	f->worker = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->worker > 0) {
		kill(f->worker, SIGTERM);
		assert_int_equal(wait_for_worker(f), 0);
	}
	fake_poolmgr_kill(&f->poolmgr);
	fd_close(&f->life_fd);
	fd_close(&f->board_fd);
	scoreboard_close(&f->board);
	buf_free(&f->answer);
	conf_free(&f->conf);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

#define SERVE(f, restart, ...)                                                                                                 \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		fake_poolmgr_start(&(f)->poolmgr, (f)->dir, scripts_, ARRAY_SIZE(scripts_), restart);                          \
	} while (0)

/* FastCGI, as a web server speaks it. */

static void add_record(struct buf *out, int type, const char *data, size_t len)
{
	unsigned char header[8] = {1, (unsigned char)type, 0, 1, (unsigned char)(len >> 8), (unsigned char)len};

	buf_add(out, header, sizeof(header));
	buf_add(out, data, len);
}

static void add_stream(struct buf *out, int type, const char *data, size_t len)
{
	for (size_t n; len > 0; data += n, len -= n) {
		n = MIN(len, 65528);
		add_record(out, type, data, n);
	}
	add_record(out, type, NULL, 0);
}

static void add_param(struct buf *out, const char *name, const char *value)
{
	buf_add_u8(out, (uint8_t)strlen(name));
	buf_add_u8(out, (uint8_t)strlen(value));
	buf_add_str(out, name);
	buf_add_str(out, value);
}

static int send_request(struct fixture *f, const char *method, const char *uri, const char *body, size_t len)
{
	AUTO(buf_free) struct buf out = {0}, params = {0};
	char path[200], length[24];
	struct err err = {0};

	snprintf(path, sizeof(path), "%s/invoke.sock", f->dir);
	int fd = fd_connect_unix(path, SOCK_STREAM, &err);
	if (fd < 0)
		fail_msg("%s", err.msg);
	snprintf(length, sizeof(length), "%zu", len);
	add_record(&out, 1, "\0\1\0\0\0\0\0\0", 8);
	add_param(&params, "REQUEST_METHOD", method);
	add_param(&params, "REQUEST_URI", uri);
	add_param(&params, "QUERY_STRING", strchr(uri, '?') ? strchr(uri, '?') + 1 : "");
	add_param(&params, "CONTENT_TYPE", "application/json");
	add_param(&params, "CONTENT_LENGTH", length);
	add_param(&params, "HTTP_X_REQUEST_ID", "req-42");
	add_stream(&out, 4, params.data, params.len);
	add_stream(&out, 5, body, len);
	assert_ok(fd_write_all(fd, out.data, out.len, &err));
	return fd;
}

/* Reads to the end of the connection and keeps what was written to stdout. */
static void receive_answer(struct fixture *f, int fd)
{
	AUTO(buf_free) struct buf in = {0};
	bool ended = false;
	ssize_t n;

	while ((n = read(fd, buf_reserve(&in, 65536), 65536)) > 0)
		in.len += (size_t)n;
	assert_int_equal(n, 0);
	close(fd);
	buf_reset(&f->answer);
	for (size_t at = 0; at + 8 <= in.len;) {
		const unsigned char *h = (unsigned char *)in.data + at;
		size_t len = (size_t)h[4] << 8 | h[5];
		if (h[1] == 6)
			buf_add(&f->answer, in.data + at + 8, len);
		ended = h[1] == 3;
		at += 8 + len + h[6];
	}
	assert_true(ended);
}

static void request(struct fixture *f, const char *method, const char *uri, const char *body)
{
	receive_answer(f, send_request(f, method, uri, body, strlen(body)));
}

static void assert_answer(const struct fixture *f, const char *part)
{
	if (strstr(buf_str(&f->answer), part) == NULL)
		fail_msg("no '%s' in: %.1000s", part, buf_str(&f->answer));
}

/* What is in the spool: the last record, and how many there are. */
static int read_spool(const struct fixture *f, struct record *last, char **text)
{
	char path[600];
	size_t len = 0, at = 0;
	struct err err = {0};
	int count = 0;

	*text = NULL;
	snprintf(path, sizeof(path), "%s/spool", f->dir);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/spool/%s", f->dir, e->d_name);
			assert_null(*text);
			assert_ok(fd_read_file(path, 1 << 26, text, &len, &err));
		}
	if (dir != NULL)
		closedir(dir);
	for (ptrdiff_t n; at < len; at += (size_t)n, count++) {
		n = record_decode(*text + at, len - at, last, &err);
		assert_true(n > 0);
	}
	return count;
}

/* Agents and poolmgrs. */

static void echo(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	for (;;) {
		fake_agent_expect(control, FRAME_INVOKE, &payload);
		fd_write_all(log, "hi\n", 3, NULL);
		fake_agent_result(control, "req-42", strchr(payload.data, '\n') + 1);
	}
}

static void lease_to(int fd, void (*agent)(int, int), int destroy)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", agent);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.destroy == destroy, "destroy");
}

static void three_good_leases(int fd)
{
	for (int i = 0; i < 3; i++)
		lease_to(fd, echo, 0);
	fake_poolmgr_expect_close(fd);
}

static void an_invocation_is_answered_and_recorded(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, three_good_leases);
	for (int i = 0; i < 3; i++) {
		request(f, "POST", "/execute/hello", "{\"input\": {\"n\": 1}}");
		assert_answer(f, "Status: 200\r\n");
		assert_answer(f, "X-Request-Id: req-42\r\n");
		assert_answer(f, "Berth-Start: prewarmed\r\n");
		assert_answer(f, "Server-Timing: queue;dur=");
		assert_answer(f, "\r\n\r\n{\"output\":{\"input\": {\"n\": 1}}}");
	}
	assert_int_equal(read_spool(f, &r, &text), 3);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.version, 4);
	assert_int_equal(r.error_code.len, 0);
	assert_int_equal(r.request_bytes, 19);
	assert_int_equal(r.response_bytes, 19 + strlen("{\"output\":}"));
	assert_memory_equal(r.log.data, "hi\n", 3);
	assert_true(r.response_us >= r.queue_us + r.exec_us);
	free(text);
	kill(f->worker, SIGTERM); /* it counts a request when it is all done with it */
	assert_int_equal(wait_for_worker(f), 0);
	assert_int_equal(scoreboard_slot(f->board, 0)->requests, 3);
}

static void deny_known(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	struct ipc_msg deny = {.type = IPC_DENY,
			       .deny = {.seq = m.lease.seq,
					.code = STR("throttled"),
					.reason = STR("function_concurrency"),
					.detail = STR("50 sandboxes run it"),
					.retry_after_ms = 1500,
					.function_id = uuid_new(),
					.version = 2}};
	fake_poolmgr_send(fd, &deny);
	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, "not_found", "", 0);
	fake_poolmgr_expect_close(fd);
}

static void a_denial_is_recorded_only_when_the_function_is_known(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, deny_known);
	request(f, "POST", "/execute/hello", "");
	assert_answer(f, "Status: 429\r\n");
	assert_answer(f, "Retry-After: 2\r\n");
	assert_answer(f, "\"reason\":\"function_concurrency\"");
	request(f, "POST", "/execute/nobody", "");
	assert_answer(f, "Status: 404\r\n");
	assert_int_equal(read_spool(f, &r, &text), 1);
	assert_int_equal(r.status, 429);
	assert_memory_equal(r.error_code.data, "throttled", 9);
	assert_int_equal(r.start_kind.len, 0);
	free(text);
}

static void a_bad_request_never_reaches_the_pool(void **state)
{
	static const struct {
		const char *method, *uri, *body, *answer;
	} cases[] = {
		{"POST", "/execute/x", "{", "\"code\":\"invalid_json\""},
		{"POST", "/execute/x", "[1]", "\"code\":\"invalid_request\""},
		{"POST", "/execute/x", "{\"inputs\":1}", "There is no field 'inputs'"},
		{"POST", "/execute/x", "{\"parameters\":[]}", "parameters must be an object"},
		{"POST", "/execute/x?version=0", "{}", "'version' must be"},
		{"POST", "/execute/x?versoin=1", "{}", "no parameter 'versoin'"},
		{"POST", "/execute/%00", "{}", "Status: 400"},
		{"GET", "/execute/x", "", "Allow: POST"},
		{"POST", "/functions", "{}", "Status: 404"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		request(f, cases[i].method, cases[i].uri, cases[i].body);
		assert_answer(f, cases[i].answer);
		assert_answer(f, "application/problem+json");
	}
}

static void a_body_over_the_limit_is_read_to_its_end_and_refused(void **state)
{
	struct fixture *f = *state;
	size_t len = 9 << 20;
	char *body = calloc(1, len);

	receive_answer(f, send_request(f, "POST", "/execute/x", body, len));
	assert_answer(f, "Status: 413\r\n");
	assert_answer(f, "\"limit\":8388608,\"actual\":9437184");
	free(body);
}

static void one_large_lease(int fd)
{
	lease_to(fd, echo, 0);
	lease_to(fd, echo, 0);
	fake_poolmgr_expect_close(fd);
}

static void a_large_body_goes_through_in_both_directions(void **state)
{
	struct fixture *f = *state;
	size_t len = 5 << 20;
	char *body = malloc(len + 1);

	SERVE(f, 0, one_large_lease);
	memset(body, 'x', len);
	memcpy(body, "{\"input\":\"", 10);
	memcpy(body + len - 2, "\"}", 3);
	receive_answer(f, send_request(f, "POST", "/execute/hello", body, len));
	assert_answer(f, "Status: 200\r\n");
	char *at = strstr(f->answer.data, "\r\n\r\n{\"output\":");
	assert_non_null(at);
	assert_memory_equal(at + 14, body, len);
	free(body);
	request(f, "POST", "/execute/hello", "{\"input\":2}");
	assert_answer(f, "{\"output\":{\"input\":2}}");
}

static void speak_first(int control, int log)
{
	(void)log;
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

static void one_bad_then_one_good(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	struct fake_agent a;
	fake_agent_start(&a, speak_first);
	usleep(50000); /* what it says is there before the worker looks */
	struct ipc_msg grant = {
		.type = IPC_GRANT,
		.grant = {.seq = m.lease.seq, .sandbox_id = STR("bad"), .timeout_ms = 1000, .runtime = STR("docker")},
		.fds = {a.control_fd, a.log_fd}};
	fake_poolmgr_send(fd, &grant);
	close(a.control_fd);
	close(a.log_fd);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.destroy == 1, "the bad one is destroyed");
	lease_to(fd, echo, 0);
	fake_poolmgr_expect_close(fd);
}

static void a_sandbox_that_is_bad_before_anything_ran_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, one_bad_then_one_good);
	request(f, "POST", "/execute/hello", "{}");
	assert_answer(f, "Status: 200\r\n");
	assert_int_equal(read_spool(f, &r, &text), 1);
	free(text);
}

static void take_long(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INVOKE, &payload);
	usleep(400000);
	fake_agent_result(control, "req-42", "\"late\"");
	fake_agent_wait_for_close(control);
}

static void one_long_lease(int fd)
{
	lease_to(fd, take_long, 0);
	fake_poolmgr_expect_close(fd);
}

static void a_worker_that_is_told_to_stop_finishes_its_request(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, one_long_lease);
	int fd = send_request(f, "POST", "/execute/hello", "{}", 2);
	usleep(150000);
	assert_int_equal(scoreboard_slot(f->board, 0)->state, SLOT_BUSY);
	kill(f->worker, SIGTERM);
	receive_answer(f, fd);
	assert_answer(f, "{\"output\":\"late\"}");
	assert_int_equal(wait_for_worker(f), 0);
	assert_int_equal(scoreboard_slot(f->board, 0)->state, SLOT_STOPPING);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void a_worker_that_is_told_to_quit_goes_at_once(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, one_long_lease);
	int fd = send_request(f, "POST", "/execute/hello", "{}", 2);
	usleep(150000);
	int64_t start_us = clock_mono_us();
	kill(f->worker, SIGQUIT);
	assert_int_equal(wait_for_worker(f), 0);
	assert_true(clock_mono_us() - start_us < 100000);
	close(fd);
}

static void a_worker_without_a_master_goes(void **state)
{
	struct fixture *f = *state;

	request(f, "GET", "/", "");
	fd_close(&f->life_fd);
	assert_int_equal(wait_for_worker(f), 0);
}

static void grant_a_long_one_and_vanish(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", take_long);
	usleep(100000);
}

static void let_the_held_one_finish(int fd)
{
	fake_poolmgr_check(strcmp(fake_poolmgr_held, FAKE_SANDBOX) == 0, "the held sandbox");
	fake_poolmgr_expect_close(fd);
}

static void an_invocation_outlives_its_poolmgr(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, grant_a_long_one_and_vanish, let_the_held_one_finish);
	request(f, "POST", "/execute/hello", "{}");
	assert_answer(f, "{\"output\":\"late\"}");
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void what_is_not_fastcgi_costs_only_its_connection(void **state)
{
	static const char *const texts[] = {"", "GET / HTTP/1.1\r\n\r\n", "\1\1", "\1\11\0\1\0\0\0\0"};
	struct fixture *f = *state;
	char path[200], rest[64];
	struct err err = {0};

	snprintf(path, sizeof(path), "%s/invoke.sock", f->dir);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(fd_close) int fd = fd_connect_unix(path, SOCK_STREAM, &err);
		assert_ok(fd_write_all(fd, texts[i], strlen(texts[i]), &err));
		shutdown(fd, SHUT_WR);
		while (read(fd, rest, sizeof(rest)) > 0)
			;
	}
	request(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
}

static void a_client_that_leaves_early_costs_nothing_but_its_answer(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, one_long_lease);
	close(send_request(f, "POST", "/execute/hello", "{}", 2));
	request(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_int_equal(read_spool(f, &r, &text), 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(an_invocation_is_answered_and_recorded),
		TEST(a_denial_is_recorded_only_when_the_function_is_known),
		TEST(a_bad_request_never_reaches_the_pool),
		TEST(a_body_over_the_limit_is_read_to_its_end_and_refused),
		TEST(a_large_body_goes_through_in_both_directions),
		TEST(a_sandbox_that_is_bad_before_anything_ran_is_replaced),
		TEST(a_worker_that_is_told_to_stop_finishes_its_request),
		TEST(a_worker_that_is_told_to_quit_goes_at_once),
		TEST(a_worker_without_a_master_goes),
		TEST(an_invocation_outlives_its_poolmgr),
		TEST(what_is_not_fastcgi_costs_only_its_connection),
		TEST(a_client_that_leaves_early_costs_nothing_but_its_answer),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
