/*
 * A whole follower in its own process, between the test as a web server and a scratch PostgreSQL. The statements that it sends
 * are counted at the calls of libpq.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "ipc/inherited.h"
#include "ipc/scoreboard.h"
#include "tests/support/described.h"
#include "tests/support/pg_group.h"
#include "tests/unit/unit.h"

#define FUNCTION "11111111-1111-4111-8111-111111111111"
#define OTHER    "22222222-2222-4222-8222-222222222222"
#define CROWD    50

/* Memory in which the follower counts for the test. */
static struct shared {
	_Atomic int statements;
	int for_several; /* those of them that are for more than one request */
} * shared;

int __wrap_PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lens,
			       const int *formats, int format);
int __real_PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lens,
			       const int *formats, int format);

int __wrap_PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lens,
			       const int *formats, int format)
{
	shared->statements++;
	if (strchr(values[0], ',') != NULL)
		shared->for_several++;
	return __real_PQsendQueryPrepared(conn, name, count, values, lens, formats, format);
}

struct fixture {
	char *dir;
	struct conf *conf;
	struct scoreboard *board;
	int board_fd, listen_fd, gate_fd;
	int life[2];
	pid_t pid;
	struct buf answer; /* the latest answer, as CGI text */
};

static void become_follower(const struct fixture *f)
{
	struct inherited h = {.role = CHILD_FOLLOW, .slot = 0, .conf = f->conf};
	struct {
		int fd, number;
	} fds[] = {
		{f->board_fd, INHERITED_SCOREBOARD_FD},
		{f->life[0], INHERITED_LIFE_FD},
		{f->listen_fd, INHERITED_LISTEN_FD},
		{f->gate_fd, INHERITED_GATE_FD},
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i].fd = fcntl(fds[i].fd, F_DUPFD, 20);
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		dup2(fds[i].fd, fds[i].number);
		close(fds[i].fd);
	}
	_exit(follow_main(&h));
}

static uint32_t state_of(const struct fixture *f)
{
	return atomic_load(&scoreboard_slot(f->board, 0)->state);
}

static int64_t statement_timeout_ms = 120000;

static int set_up(void **state)
{
	AUTO(fd_close) int dir = -1;
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = {0};

	*state = f;
	pg_scratch_reset(pg);
	pg_scratch_exec(pg, "insert into functions (function_id, name, status) values ('" FUNCTION "', 'one', 'deleted'), "
			    "('" OTHER "', 'other', 'deleted')");
	pg_scratch_exec(
		pg, "do $$ begin perform ensure_metrics_partitions(current_date + i) from generate_series(-1, 1) i; end $$");
	f->dir = unit_make_dir();
	f->conf = pg_scratch_conf(pg);
	f->conf->database_statement_timeout_ms = statement_timeout_ms;
	f->conf->follow_max_waiting = CROWD;
	assert_ok(scoreboard_create(1, &f->board, &f->board_fd, &err));
	dir = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->listen_fd = fd_listen_unix(dir, "follow.sock", SOCK_STREAM, 0600, 128, &err);
	assert_true(f->listen_fd >= 0);
	assert_int_equal(pipe2(f->life, O_CLOEXEC), 0);
	f->gate_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	atomic_store(&scoreboard_slot(f->board, 0)->state, SLOT_STARTING);
	f->pid = fork();
	if (f->pid == 0)
		become_follower(f);
	while (state_of(f) == SLOT_STARTING)
		usleep(1000);
	return 0;
}

static int stop(struct fixture *f)
{
	int status;

	kill(f->pid, SIGTERM);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = 0;
	return status;
}

static int set_up_hurried(void **state)
{
	statement_timeout_ms = 2000;
	int rc = set_up(state);
	statement_timeout_ms = 120000;
	return rc;
}

/* A test holds it for a while; one that fails must not keep it, or the next test waits for it. */
static PGconn *lock;

static void unlock_logs(void)
{
	PQfinish(lock);
	lock = NULL;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlock_logs();
	if (f->pid > 0)
		assert_int_equal(stop(f), 0);
	munmap(shared, sizeof(*shared));
	fd_close(&f->listen_fd);
	fd_close(&f->gate_fd);
	fd_close(&f->life[0]);
	fd_close(&f->life[1]);
	fd_close(&f->board_fd);
	scoreboard_close(&f->board);
	buf_free(&f->answer);
	conf_free(&f->conf);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

/* ---- FastCGI, as a web server speaks it ---- */

static void add_record(struct buf *out, unsigned char type, const char *data, size_t len)
{
	unsigned char header[8] = {1, type, 0, 1, (unsigned char)(len >> 8), (unsigned char)len};

	buf_add(out, header, sizeof(header));
	buf_add(out, data, len);
}

static void add_param(struct buf *out, const char *name, const char *value)
{
	buf_add_u8(out, (uint8_t)strlen(name));
	buf_add_u8(out, (uint8_t)strlen(value));
	buf_add_str(out, name);
	buf_add_str(out, value);
}

static int send_request(struct fixture *f, const char *uri)
{
	AUTO(buf_free) struct buf out = {0}, params = {0};
	const char *query = strchr(uri, '?');
	char path[200];
	struct err err = {0};

	snprintf(path, sizeof(path), "%s/follow.sock", f->dir);
	int fd = fd_connect_unix(path, SOCK_STREAM, &err);
	if (fd < 0)
		fail_msg("%s", err.msg);
	add_record(&out, 1, "\0\1\0\0\0\0\0\0", 8);
	add_param(&params, "REQUEST_METHOD", "GET");
	add_param(&params, "REQUEST_URI", uri);
	add_param(&params, "QUERY_STRING", query != NULL ? query + 1 : "");
	add_record(&out, 4, params.data, params.len);
	add_record(&out, 4, NULL, 0);
	add_record(&out, 5, NULL, 0);
	assert_ok(fd_write_all(fd, out.data, out.len, &err));
	return fd;
}

static bool is_answered(int fd, int within_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, within_ms) > 0;
}

/* Reads to the end of the connection and keeps what was written to stdout: the answer to a request for logs. */
static const char *receive(struct fixture *f, int fd)
{
	AUTO(buf_free) struct buf in = {0};
	ssize_t n;

	assert_true(is_answered(fd, 60000));
	while ((n = read(fd, buf_reserve(&in, 65536), 65536)) > 0)
		in.len += (size_t)n;
	close(fd);
	buf_reset(&f->answer);
	for (size_t at = 0, len; at + 8 <= in.len; at += 8 + len + (unsigned char)in.data[at + 6]) {
		len = (size_t)(unsigned char)in.data[at + 4] << 8 | (unsigned char)in.data[at + 5];
		if (in.data[at + 1] == 6)
			buf_add(&f->answer, in.data + at + 8, len);
	}
	assert_written_answer_described("GET", "/functions/one/logs", buf_str(&f->answer));
	return buf_str(&f->answer);
}

static void assert_says(const char *answer, const char *part)
{
	if (strstr(answer, part) == NULL)
		fail_msg("no '%s' in: %.1000s", part, answer);
}

/* The place from which a client that has all logs continues. */
static char *place_now(struct fixture *f, const char *function)
{
	AUTO(mem_free) char *uri = mem_printf("/functions/%s/logs", function);
	const char *answer = receive(f, send_request(f, uri)), *next = strstr(answer, "\"next\":\"");

	assert_says(answer, "Status: 200");
	assert_non_null(next);
	return mem_strndup(next + 8, strspn(next + 8, "0123456789.-abcdef"));
}

static int follow(struct fixture *f, const char *function, const char *after, int wait_s)
{
	AUTO(mem_free) char *uri = mem_printf("/functions/%s/logs?after=%s&wait_s=%d", function, after, wait_s);

	return send_request(f, uri);
}

/* ---- What functions print ---- */

static void print(const char *function, const char *text)
{
	static int count;

	count++;
	pg_scratch_exec(
		pg,
		"insert into metrics (metric_id, function_id, version, request_id, request_timestamp, response_time_ms, "
		"queue_ms, init_ms, exec_ms, start_kind, runtime, status, error_flag, request_bytes, response_bytes, node, "
		"overhead_ms) values ('00000000-0000-7000-8000-%012d', '%s', 1, 'r', now(), 12.5, 1, 0, 11, 'warm', "
		"'docker', 200, false, 10, 20, 'here', 0.5)",
		count, function);
	pg_scratch_exec(
		pg,
		"insert into invocation_logs (metric_id, function_id, request_timestamp, log, times, streams, log_bytes, "
		"orphan_bytes) select metric_id, function_id, request_timestamp, '%s', '', '', %zu, 0 from metrics where "
		"metric_id = '00000000-0000-7000-8000-%012d'",
		text, strlen(text), count);
}

/* Waits until the follower has asked that often. */
static void wait_for_statements(int count)
{
	int64_t until_us = clock_mono_us() + 60000000;

	while (shared->statements < count)
		if (clock_mono_us() > until_us)
			fail_msg("%d statements instead of %d", shared->statements, count);
		else
			usleep(1000);
}

/* Two requests wait when a second statement was for both: the first one may be that for two that have just come. */
static void wait_until_two_wait(void)
{
	int64_t until_us = clock_mono_us() + 60000000;

	for (int before = shared->for_several; shared->for_several < before + 2; usleep(1000))
		if (clock_mono_us() > until_us)
			fail_msg("there are not two requests that wait");
}

/* Waits until that many of the follower's statements wait for a lock. */
static void wait_until_stuck(int count)
{
	while (pg_scratch_number(pg, "select count(*) from pg_stat_activity where application_name = 'berth-follow' "
				     "and wait_event_type = 'Lock'") < count)
		;
}

/* Another client holds the lock, so that it remains. */
static void lock_logs(struct fixture *f)
{
	lock = PQconnectdb(f->conf->database_conninfo);
	PGresult *r = PQexec(lock, "begin; lock table invocation_logs in access exclusive mode");

	assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
}

/* ---- */

static void who_waits_is_told_what_is_printed(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *place = place_now(f, FUNCTION), *other = place_now(f, OTHER);
	int fd = follow(f, FUNCTION, place, 20), none = follow(f, OTHER, other, 3);

	print(FUNCTION, "at last");
	const char *answer = receive(f, fd);
	assert_says(answer, "\"text\":\"at last\"");
	assert_says(answer, "Status: 200");
	assert_says(receive(f, none), "\"items\":[]");
	assert_says(receive(f, send_request(f, "/functions/nobody/logs")), "Status: 404");
}

static void one_statement_asks_for_all_who_wait_and_answers_them(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *place = place_now(f, FUNCTION);
	int fds[CROWD];

	for (int i = 0; i < CROWD; i++)
		fds[i] = follow(f, i % 2 ? FUNCTION : OTHER, place, 60);
	/* All requests wait when there is no room for another one; from then on there is one statement every half second. */
	assert_says(receive(f, follow(f, FUNCTION, place, 60)), "Status: 503");
	wait_for_statements(shared->statements + 1);
	int before = shared->statements;
	int64_t began_us = clock_mono_us();
	wait_for_statements(before + 4);
	assert_true(clock_mono_us() - began_us > 1400000);
	before = shared->statements;
	began_us = clock_mono_us();
	print(FUNCTION, "to all");
	for (int i = 1; i < CROWD; i += 2)
		assert_says(receive(f, fds[i]), "to all");
	/* At most one statement in half a second and one at either end; not one for each request that is answered. */
	assert_true(shared->statements - before <= 2 + (clock_mono_us() - began_us) / 500000);
	for (int i = 0; i < CROWD; i += 2) {
		assert_false(is_answered(fds[i], 0));
		close(fds[i]);
	}
}

static void a_slow_question_for_those_who_wait_holds_up_nobody_else(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *place = place_now(f, FUNCTION);
	int patient = follow(f, FUNCTION, place, 60), late = follow(f, OTHER, place, 5);

	wait_until_two_wait();
	lock_logs(f);
	wait_until_stuck(1);
	/* Requests that do not need PostgreSQL, and requests that have waited long enough. */
	assert_says(receive(f, send_request(f, "/functions/one/logs?wait_s=61")), "Status: 400");
	assert_says(receive(f, late), "\"items\":[]");
	assert_false(is_answered(patient, 0));
	unlock_logs();
	print(FUNCTION, "after all");
	assert_says(receive(f, patient), "after all");
}

/* The slow statement is that of the waiting requests. */
static void who_comes_is_answered_while_a_question_for_those_who_wait_is_slow(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *place = place_now(f, FUNCTION);
	int patient = follow(f, FUNCTION, place, 60);

	wait_for_statements(3);
	/* The next statement for the waiting request waits for a lock. Its backend is stopped before the lock is released. */
	lock_logs(f);
	wait_until_stuck(1);
	long stuck = pg_scratch_number(pg, "select pid from pg_stat_activity where application_name = 'berth-follow' "
					   "and wait_event_type = 'Lock'");
	kill((pid_t)stuck, SIGSTOP);
	unlock_logs();
	assert_says(receive(f, send_request(f, "/functions/nobody/logs")), "Status: 404");
	assert_says(receive(f, follow(f, OTHER, place, 1)), "\"items\":[]");
	print(OTHER, "news");
	assert_says(receive(f, follow(f, OTHER, place, 20)), "news");
	kill((pid_t)stuck, SIGCONT);
	print(FUNCTION, "after all");
	assert_says(receive(f, patient), "after all");
}

static void a_question_that_takes_too_long_is_asked_for_fewer_at_a_time(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *place = place_now(f, FUNCTION);
	int fds[8];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = follow(f, FUNCTION, place, 60);
	wait_for_statements(shared->statements + 4);
	lock_logs(f);
	wait_until_stuck(1);
	wait_for_statements(shared->statements + 1); /* the one that was stuck has taken too long */
	unlock_logs();
	print(FUNCTION, "after all");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		assert_says(receive(f, fds[i]), "after all");
}

static void when_it_is_to_stop_all_are_answered(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *place = place_now(f, FUNCTION);
	int fd = follow(f, FUNCTION, place, 60);

	wait_for_statements(3);
	lock_logs(f);
	wait_until_stuck(1);
	assert_int_equal(stop(f), 0); /* while a statement is under way */
	unlock_logs();
	assert_says(receive(f, fd), "\"items\":[]");
}

static void beyond_the_most_that_may_wait_one_is_told_to_come_back(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *place = place_now(f, FUNCTION);
	int fds[CROWD];

	for (int i = 0; i < CROWD; i++)
		fds[i] = follow(f, FUNCTION, place, 60);
	assert_says(receive(f, follow(f, FUNCTION, place, 60)), "Status: 503");
	assert_says(receive(f, follow(f, FUNCTION, place, 0)), "Status: 200");
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
}

static void while_postgresql_is_away_who_asks_is_told_so(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *place = place_now(f, FUNCTION);
	int waiting = follow(f, FUNCTION, place, 60);

	wait_for_statements(3);
	pg_scratch_stop(pg);
	assert_says(receive(f, waiting), "store_unavailable");
	assert_says(receive(f, follow(f, FUNCTION, place, 60)), "store_unavailable");
	pg_scratch_start(pg);
	while (strstr(receive(f, follow(f, FUNCTION, place, 0)), "Status: 200") == NULL)
		usleep(10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_waits_is_told_what_is_printed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_statement_asks_for_all_who_wait_and_answers_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slow_question_for_those_who_wait_holds_up_nobody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_comes_is_answered_while_a_question_for_those_who_wait_is_slow, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_question_that_takes_too_long_is_asked_for_fewer_at_a_time, set_up_hurried,
						tear_down),
		cmocka_unit_test_setup_teardown(when_it_is_to_stop_all_are_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(beyond_the_most_that_may_wait_one_is_told_to_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(while_postgresql_is_away_who_asks_is_told_so, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
