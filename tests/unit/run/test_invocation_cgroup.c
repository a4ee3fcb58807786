/* What an invocation used, and whether its memory ran out, according to the files of its sandbox's cgroup. */
#include "run/invocation.h"

#include <poll.h>

#include "base/fd.h"
#include "tests/unit/run/invocation_rig.h"

static void put_into_cgroup(struct fixture *f)
{
	int fds[3];

	make_cgroup(f, fds);
	f->lease.meter.cpu_fd = fds[0];
	f->lease.meter.memory_fd = fds[1];
	f->lease.meter.oom_fd = fds[2];
}

static void take_out_of_cgroup(struct fixture *f)
{
	fd_close(&f->lease.meter.cpu_fd);
	fd_close(&f->lease.meter.memory_fd);
	fd_close(&f->lease.meter.oom_fd);
}

static void work_and_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	cgroup_says("usage_usec 51000\n", "7340032\n", "oom_kill 2\n");
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

static void what_an_invocation_used_is_in_its_outcome(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	run_script(f, work_and_answer);
	assert_output(f, "1");
	assert_int_equal(f->outcome.cpu_us, 50000);
	assert_int_equal(f->outcome.memory_bytes, 7340032);
	take_out_of_cgroup(f);
	assert_script_ended_well(f);
}

static void without_a_cgroup_what_it_used_is_not_known(void **state)
{
	struct fixture *f = *state;

	run_script(f, print_and_answer);
	assert_output(f, "{\"a\": [1]}");
	assert_int_equal(f->outcome.cpu_us, -1);
	assert_int_equal(f->outcome.memory_bytes, 0);
}

static void an_agent_that_was_killed_for_its_memory_is_out_of_memory(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	run_script(f, print_and_be_killed_for_memory);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(problem_member(f, "limit_mb"), 128);
	assert_int_equal(problem_member(f, "peak_mb"), 128);
	assert_string_equal(problem_text(f, "phase"), "exec");
	assert_int_equal(f->outcome.memory_bytes, 134217729);
	assert_int_equal(f->outcome.cpu_us, 2000);
	assert_log(f, "last words\n");
	take_out_of_cgroup(f);
}

static void lack_memory_for_reading(int control, int log)
{
	struct pollfd p = {.fd = control, .events = POLLIN};

	(void)log;
	poll(&p, 1, 20000);
	cgroup_says("usage_usec 3000\n", "134217728\n", "oom_kill 3\n");
}

/* It is not tried in another sandbox, which would end in the same way. */
static void too_much_memory_for_the_request_itself_is_told(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	run_script(f, lack_memory_for_reading);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	take_out_of_cgroup(f);
}

static void lose_a_part_and_hang(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	cgroup_says("usage_usec 3000\n", "134217728\n", "oom_kill 3\n");
	fake_agent_wait_for_close(control);
}

/* On the host's kernel it was a child of the function, so the time counts for the function. */
static void a_kill_for_memory_explains_a_timeout_of_gvisor_only(void **state)
{
	static const struct {
		const char *runtime;
		enum counter reason;
		enum problem_code code;
	} cases[] = {
		{"gvisor", COUNT_KILL_MEMORY, PROBLEM_OUT_OF_MEMORY},
		{"docker", COUNT_KILL_TIMEOUT, PROBLEM_FUNCTION_TIMEOUT},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_into_cgroup(f);
		snprintf(f->lease.runtime, sizeof(f->lease.runtime), "%s", cases[i].runtime);
		f->lease.timeout_ms = 100;
		run_script(f, lose_a_part_and_hang);
		assert_failed(f, cases[i].code, cases[i].reason);
		outcome_clear(&f->outcome);
		take_out_of_cgroup(f);
	}
}

static void load_too_much(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fake_agent_expect(control, FRAME_INIT, &payload);
	fd_write_all(log, "loading\n", 8, NULL);
	cgroup_says("usage_usec 3000\n", "134217728\n", "oom_kill 3\n");
}

static void too_much_memory_for_loading_is_of_phase_init(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	buf_add_str(&f->lease.init, INIT);
	run_script(f, load_too_much);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_string_equal(problem_text(f, "phase"), "init");
	assert_int_equal(problem_member(f, "peak_mb"), 128);
	assert_log(f, "loading\n");
	take_out_of_cgroup(f);
}

static void a_kill_before_the_invocation_is_not_this_ones(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	run_script(f, print_and_exit);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
	assert_string_equal(problem_text(f, "phase"), "exec");
	assert_int_equal(json_object_size(f->outcome.problem.members), 1); /* there is no poolmgr to ask */
	assert_log(f, "last words\n");
	take_out_of_cgroup(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, invocation_set_up, invocation_tear_down)
		TEST(what_an_invocation_used_is_in_its_outcome),
		TEST(without_a_cgroup_what_it_used_is_not_known),
		TEST(an_agent_that_was_killed_for_its_memory_is_out_of_memory),
		TEST(too_much_memory_for_the_request_itself_is_told),
		TEST(a_kill_for_memory_explains_a_timeout_of_gvisor_only),
		TEST(too_much_memory_for_loading_is_of_phase_init),
		TEST(a_kill_before_the_invocation_is_not_this_ones),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
