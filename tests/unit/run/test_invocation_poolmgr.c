/* The messages of poolmgr: the recall of a kept sandbox, and how a sandbox ended whose agent has exited. */
#include "run/invocation.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/unit/run/invocation_rig.h"

/* Memory that is shared with agents and poolmgrs. */
static struct shared {
	_Atomic int untouched; /* agents that were not used after their first invocation */
	_Atomic int touched;   /* agents that were used again */
	_Atomic bool asked;    /* poolmgr was asked how the agent ended */
} * shared;
static int go_fd;

static void serve_one_and_watch(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};
	char byte;

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_result(control, ID, "1");
	if (read(control, &byte, 1) == 0)
		shared->untouched++;
	else
		shared->touched++;
}

static int set_up_poolmgr(void **state)
{
	int rc = invocation_set_up(state);
	struct fixture *f = *state;

	f->dir = unit_make_dir();
	f->client = lease_client_new(f->dir, NULL, true);
	f->lease = LEASE_NONE;
	invocation_free(&f->invocation);
	f->invocation = invocation_new(f->conf, f->client, NULL);
	go_fd = eventfd(0, EFD_CLOEXEC);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return rc;
}

static int tear_down_poolmgr(void **state)
{
	int rc = invocation_tear_down(state);

	fd_close(&go_fd);
	munmap(shared, sizeof(*shared));
	return rc;
}

#define SERVE(f, restart, ...)                                                                                                 \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		fake_poolmgr_start(&(f)->poolmgr, (f)->dir, scripts_, ARRAY_SIZE(scripts_), restart);                          \
	} while (0)

static void acquire(struct fixture *f, enum ipc_start_kind expected)
{
	int64_t deadline_us = clock_mono_us() + 5000000;

	assert_int_equal(lease_acquire(f->client, "hello", 0, REQUEST_ID, deadline_us, &f->lease, &f->denial), 0);
	assert_int_equal(f->lease.start_kind, expected);
}

/* Makes the worker keep a sandbox after its first invocation. */
static void keep_one(struct fixture *f)
{
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	assert_output(f, "1");
	lease_release(f->client, &f->lease, 0);
}

static void await_go(void)
{
	eventfd_t value;

	fake_poolmgr_check(eventfd_read(go_fd, &value) == 0, "go");
}

static void assert_untouched(struct fixture *f)
{
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_int_equal(f->outcome.destroy_reason, 0);
	assert_true(f->outcome.problem.detail[0] != '\0');
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	while (shared->untouched + shared->touched == 0)
		usleep(1000);
	assert_int_equal(shared->untouched, 1);
}

static void grant_and_recall_when_told(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", serve_one_and_watch);
	await_go();
	fake_poolmgr_recall(fd, FAKE_LEASE_ID);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason == 0, "it may serve again");
	fake_poolmgr_expect_close(fd);
}

static void a_kept_sandbox_that_was_asked_for_is_not_used(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_and_recall_when_told);
	keep_one(f);
	acquire(f, IPC_START_WARM);
	eventfd_write(go_fd, 1);
	await_readable(lease_watch_fd(f->client));
	invoke(f);
	assert_untouched(f);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_and_vanish_when_told(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", serve_one_and_watch);
	await_go();
	close(fd);
	while (shared->untouched + shared->touched == 0) /* the agent ends with this process */
		usleep(1000);
}

static void a_kept_sandbox_whose_poolmgr_is_gone_is_not_used(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_and_vanish_when_told);
	keep_one(f);
	acquire(f, IPC_START_WARM);
	eventfd_write(go_fd, 1);
	await_readable(lease_watch_fd(f->client));
	invoke(f);
	assert_untouched(f);
	assert_int_equal(lease_watch_fd(f->client), -1);
}

static void recall_another_one(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_answer_many);
	await_go();
	fake_poolmgr_recall(fd, FAKE_LEASE_ID + 1);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.runs == 2, "runs");
	fake_poolmgr_expect_close(fd);
}

static void a_kept_sandbox_is_used_when_it_was_another_one_that_was_asked_for(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, recall_another_one);
	keep_one(f);
	acquire(f, IPC_START_WARM);
	eventfd_write(go_fd, 1);
	await_readable(lease_watch_fd(f->client));
	invoke(f);
	assert_output(f, "1");
	lease_release(f->client, &f->lease, 0);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_and_recall_at_once(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", serve_one_and_watch);
	fake_poolmgr_recall(fd, FAKE_LEASE_ID);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.runs == 1 && m.release.reason == 0, "one run");
	fake_poolmgr_expect_close(fd);
}

/* It was granted for this request; only the next request cannot use it. */
static void a_new_sandbox_serves_even_when_it_is_asked_for_already(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_and_recall_at_once);
	acquire(f, IPC_START_PREWARMED);
	await_readable(lease_watch_fd(f->client));
	invoke(f);
	assert_output(f, "1");
	lease_release(f->client, &f->lease, 0);
	assert_true(lease_expire(f->client, clock_mono_us()) == INT64_MAX);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

/* ---- How a sandbox ended whose agent has exited, according to poolmgr ---- */

static struct finding finding;      /* the answer of the next poolmgr */
static const char *last_words = ""; /* on stderr */

static void speak_and_exit(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	fd_write_all(log, "last words\n", 11, NULL);
	fd_write_all(fake_agent_error_log, last_words, strlen(last_words), NULL);
}

static void find_out(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", speak_and_exit);
	fake_poolmgr_expect(fd, IPC_POSTMORTEM, &m);
	fake_poolmgr_check(m.postmortem.lease_id == FAKE_LEASE_ID, "lease id");
	fake_poolmgr_find(fd, &m, finding.known, finding.out_of_memory, finding.exit_code);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason != 0, "not to be used again");
	fake_poolmgr_expect_close(fd);
}

/* One invocation in a sandbox whose agent sends something and exits. */
static void invoke_and_ask(struct fixture *f)
{
	SERVE(f, 0, find_out);
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	if (last_words[0] == '\0')
		assert_log(f, "last words\n");
	assert_string_equal(problem_text(f, "phase"), "exec");
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
	f->client = lease_client_new(f->dir, NULL, true);
	invocation_free(&f->invocation);
	f->invocation = invocation_new(f->conf, f->client, NULL);
	char path[200];
	snprintf(path, sizeof(path), "%s/" IPC_SOCKET_NAME, f->dir);
	unlink(path);
}

static void an_agent_that_exits_is_reported_with_its_exit_code_or_signal(void **state)
{
	static const struct {
		uint32_t exit_code;
		const char *signal, *said;
	} cases[] = {
		{0, NULL, "exited with code 0"},       {3, NULL, "exited with code 3"},
		{128, NULL, "exited with code 128"},   {137, "SIGKILL", "was killed by SIGKILL"},
		{139, "SIGSEGV", "killed by SIGSEGV"}, {168, NULL, "exited with code 168"}, /* this signal has no name */
		{255, NULL, "exited with code 255"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		finding = (struct finding){.known = true, .exit_code = cases[i].exit_code};
		invoke_and_ask(f);
		assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
		assert_int_equal(problem_member(f, "exit_code"), cases[i].signal != NULL ? -1 : (int64_t)cases[i].exit_code);
		assert_string_equal(problem_text(f, "signal"), cases[i].signal ?: "");
		assert_non_null(strstr(f->outcome.problem.detail, cases[i].said));
	}
}

static void assert_exited_without_more(const struct fixture *f)
{
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
	assert_string_equal(problem_text(f, "phase"), "exec");
	assert_int_equal(json_object_size(f->outcome.problem.members), 1);
	assert_non_null(strstr(f->outcome.problem.detail, "closed its connection"));
}

static void what_poolmgr_does_not_know_is_not_made_up(void **state)
{
	struct fixture *f = *state;

	finding = (struct finding){0};
	invoke_and_ask(f);
	assert_exited_without_more(f);
}

/* gVisor shuts a socket down before it closes it: the worker sees the end of the connection, and the reset only later. */
static void shut_down_and_exit_when_told(int control, int log)
{
	struct pollfd request = {.fd = control, .events = POLLIN};

	(void)log;
	fake_poolmgr_check(poll(&request, 1, 20000) == 1, "INVOKE");
	shutdown(control, SHUT_WR);
	while (!shared->asked)
		usleep(1000);
}

static void find_out_when_it_has_exited(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", shut_down_and_exit_when_told);
	fake_poolmgr_expect(fd, IPC_POSTMORTEM, &m);
	shared->asked = true;
	fake_poolmgr_check(wait(NULL) > 0, "the agent ends");
	fake_poolmgr_find(fd, &m, true, false, 3);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason == COUNT_KILL_EXITED_IDLE, "of what was left behind");
	fake_poolmgr_expect_close(fd);
}

static void what_is_unread_may_be_known_only_when_the_agent_has_ended(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, find_out_when_it_has_exited);
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

/* The cgroup is removed with the container, so its files may be empty. */
static void poolmgr_may_know_that_memory_ran_out(void **state)
{
	struct fixture *f = *state;

	finding = (struct finding){.known = true, .out_of_memory = true, .exit_code = 137};
	invoke_and_ask(f);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(problem_member(f, "limit_mb"), 128);
	assert_int_equal(problem_member(f, "peak_mb"), 128);
	assert_int_equal(f->outcome.memory_bytes, 128 << 20);
	assert_int_equal(f->outcome.cpu_us, -1);
}

static void print_and_exit_in_a_cgroup(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	fd_write_all(log, "last words\n", 11, NULL);
	cgroup_says("usage_usec 5000\n", "70000000\n", "oom_kill 2\n");
}

static void find_out_of_memory_when_the_cgroup_is_gone(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_exit_in_a_cgroup);
	fake_poolmgr_expect(fd, IPC_POSTMORTEM, &m);
	cgroup_says("", "", "");
	fake_poolmgr_find(fd, &m, true, true, 137);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_expect_close(fd);
}

static void what_was_measured_before_poolmgr_was_asked_is_kept(void **state)
{
	struct fixture *f = *state;

	make_cgroup(f, fake_poolmgr_meter_fds);
	SERVE(f, 0, find_out_of_memory_when_the_cgroup_is_gone);
	for (int i = 0; i < 3; i++)
		fd_close(&fake_poolmgr_meter_fds[i]);
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(problem_member(f, "peak_mb"), 66);
	assert_int_equal(f->outcome.memory_bytes, 70000000);
	assert_int_equal(f->outcome.cpu_us, 4000);
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_in_a_cgroup(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_be_killed_for_memory);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m); /* without an earlier question */
	fake_poolmgr_check(m.release.reason != 0, "not to be used again");
	fake_poolmgr_expect_close(fd);
}

static void what_the_cgroup_says_need_not_be_asked(void **state)
{
	struct fixture *f = *state;

	make_cgroup(f, fake_poolmgr_meter_fds);
	SERVE(f, 0, grant_in_a_cgroup);
	for (int i = 0; i < 3; i++)
		fd_close(&fake_poolmgr_meter_fds[i]);
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(problem_member(f, "peak_mb"), 128);
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void print_and_exit_in_a_while(int control, int log)
{
	print_and_exit(control, log);
	usleep(100000);
}

static void grant_and_vanish(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_exit_in_a_while);
	close(fd);
	pause(); /* the agent ends with this process, which is killed when the test is over */
}

static void without_poolmgr_an_exit_is_reported_without_more_and_at_once(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, grant_and_vanish);
	acquire(f, IPC_START_PREWARMED);
	int64_t start_us = clock_mono_us();
	invoke(f);
	assert_true(clock_mono_us() - start_us < 900000);
	assert_exited_without_more(f);
	assert_log(f, "last words\n");
}

static void an_interpreter_may_end_itself_for_lack_of_memory(void **state)
{
	static const char out_of_memory[] =
		"FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n";
	static const struct {
		const char *words;
		uint32_t exit_code;
		enum problem_code code;
	} cases[] = {
		{out_of_memory, 134, PROBLEM_OUT_OF_MEMORY}, {out_of_memory, 133, PROBLEM_OUT_OF_MEMORY},
		{out_of_memory, 1, PROBLEM_SANDBOX_EXITED},  {"FATAL ERROR: something else\n", 134, PROBLEM_SANDBOX_EXITED},
		{"", 134, PROBLEM_SANDBOX_EXITED},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		last_words = cases[i].words;
		finding = (struct finding){.known = true, .exit_code = cases[i].exit_code};
		invoke_and_ask(f);
		assert_failed(f, cases[i].code, cases[i].code == PROBLEM_OUT_OF_MEMORY ? COUNT_KILL_MEMORY : COUNT_KILL_EXITED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_poolmgr, tear_down_poolmgr)
		TEST(a_kept_sandbox_that_was_asked_for_is_not_used),
		TEST(a_kept_sandbox_whose_poolmgr_is_gone_is_not_used),
		TEST(a_kept_sandbox_is_used_when_it_was_another_one_that_was_asked_for),
		TEST(a_new_sandbox_serves_even_when_it_is_asked_for_already),
		TEST(an_agent_that_exits_is_reported_with_its_exit_code_or_signal),
		TEST(what_poolmgr_does_not_know_is_not_made_up),
		TEST(what_is_unread_may_be_known_only_when_the_agent_has_ended),
		TEST(poolmgr_may_know_that_memory_ran_out),
		TEST(what_was_measured_before_poolmgr_was_asked_is_kept),
		TEST(what_the_cgroup_says_need_not_be_asked),
		TEST(without_poolmgr_an_exit_is_reported_without_more_and_at_once),
		TEST(an_interpreter_may_end_itself_for_lack_of_memory),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
