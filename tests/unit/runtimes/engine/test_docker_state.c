/* The state of a container, and the list of containers. */
#include <errno.h>

#include "base/mem.h"
#include "tests/unit/runtimes/engine/docker_rig.h"

/* ---- The state of a container ---- */

struct inspection {
	struct outcome o; /* first member, as for on_done */
	struct docker_state state;
};

static void on_inspected(const struct err *err, const struct docker_state *state, void *arg)
{
	struct inspection *i = arg;

	on_done(err, &i->o);
	assert_true((err == NULL) == (state != NULL));
	if (state != NULL)
		i->state = *state;
}

static struct inspection inspect(const char *id)
{
	struct inspection i = {0};

	docker_inspect(rig.docker, id, on_inspected, &i);
	finish(&i.o);
	return i;
}

static struct inspection inspect_said(const char *said)
{
	rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){.status = 200, .body = said};
	return inspect(ID);
}

static void a_container_that_runs_is_told_with_its_id_and_its_first_process(void **state)
{
	const struct fake_container *c = fake_docker_add(rig.engine, "unit", ID, "running");

	(void)state;
	struct inspection i = inspect(ID);
	assert_false(i.o.failed);
	assert_true(i.state.running);
	assert_false(i.state.oom_killed);
	assert_int_equal(i.state.pid, FAKE_PID);
	assert_string_equal(i.state.container_id, c->id);
}

static void a_container_that_ended_is_told_with_its_exit_code_and_whether_memory_ran_out(void **state)
{
	struct fake_container *c = fake_docker_add(rig.engine, "unit", ID, "exited");

	(void)state;
	c->exit_code = 3;
	struct inspection i = inspect(ID);
	assert_false(i.o.failed);
	assert_false(i.state.running);
	assert_false(i.state.oom_killed);
	assert_int_equal(i.state.pid, 0);
	assert_int_equal(i.state.exit_code, 3);
	c->exit_code = 137;
	c->oom_killed = true;
	i = inspect(ID);
	assert_true(i.state.oom_killed);
	assert_int_equal(i.state.exit_code, 137);
}

static void a_container_that_is_not_there_is_told_as_such(void **state)
{
	(void)state;
	struct inspection i = inspect(ID);
	assert_true(i.o.failed);
	assert_int_equal(i.o.err.code, ENOENT);
}

static void an_engine_that_cannot_say_how_a_container_is_is_told_in_its_words(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){.status = 500, .body = "{\"message\":\"busy\"}"};
	struct inspection i = inspect(ID);
	assert_true(i.o.failed);
	assert_says(i.o.err, "could not inspect the container: busy (status 500)");
}

static void an_answer_that_does_not_say_whether_a_container_runs_is_no_answer(void **state)
{
	static const char *const bodies[] = {"",
					     "[]",
					     "null",
					     "{}",
					     "{\"State\":7}",
					     "{\"State\":{}}",
					     "{\"State\":{\"Running\":\"false\"}}",
					     "{\"State\":{\"Running\":0,\"OOMKilled\":true}}",
					     "\xff\xfe"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct inspection got = inspect_said(bodies[i]);
		assert_true(got.o.failed);
		assert_says(got.o.err, "does not say whether the container runs");
	}
}

static void what_an_answer_says_in_the_wrong_type_counts_as_not_said(void **state)
{
	static const char *const bodies[] = {
		"{\"State\":{\"Running\":false}}",
		"{\"Id\":64,\"State\":{\"Running\":false,\"OOMKilled\":1,\"Pid\":\"1\",\"ExitCode\":\"9\"}}",
		"{\"Id\":\"\",\"State\":{\"Running\":false,\"OOMKilled\":\"true\",\"Pid\":-1}}",
		"{\"Id\":\"../../../../../../../../../../../../../../../../../../../../../\",\"State\":{\"Running\":false,"
		"\"Pid\":2147483648}}",
		"{\"Id\":\"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\",\"State\":{\"Running\":false}}",
		"{\"Id\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0\",\"State\":{\"Running\":false}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct inspection got = inspect_said(bodies[i]);
		assert_false(got.o.failed);
		assert_string_equal(got.state.container_id, "");
		assert_false(got.state.oom_killed);
		assert_int_equal(got.state.pid, 0);
		assert_int_equal(got.state.exit_code, 0);
	}
}

/* ---- Listing ---- */

static void the_list_has_all_containers_of_this_instance_and_no_others(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", "aaaa", "running");
	fake_docker_add(rig.engine, "other", "bbbb", "running");
	fake_docker_add(rig.engine, "unit", "cccc", "exited");
	fake_docker_add(rig.engine, "unit", "dddd", "created");
	struct listing l = list_containers();
	assert_false(l.o.failed);
	assert_int_equal(l.o.calls, 1);
	assert_int_equal(l.count, 3);
	assert_int_equal(l.running, 1);
	assert_string_equal(l.ids[0], "aaaa");
	assert_string_equal(l.ids[1], "cccc");
	assert_string_equal(l.ids[2], "dddd");
}

static void entries_that_are_no_containers_of_ours_are_passed_over(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 200,
							     .body = "[42,{},{\"Labels\":null},{\"Labels\":{\"berth.sandbox\":"
								     "7}},{\"Labels\":{\"berth.sandbox\":\"eeee\"}}]"};
	struct listing l = list_containers();
	assert_false(l.o.failed);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.running, 0);
	assert_string_equal(l.ids[0], "eeee");
}

static void a_list_that_is_no_list_is_an_error(void **state)
{
	static const char *const bodies[] = {"", "{\"a\":1}", "[1,2", "null", "\xff\xfe"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 200, .body = bodies[i]};
		struct listing l = list_containers();
		assert_true(l.o.failed);
		assert_int_equal(l.count, 0);
		assert_says(l.o.err, "is no JSON array");
	}
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 500, .body = "{\"message\":\"no\"}"};
	assert_says(list_containers().o.err, "could not list containers: no (status 500)");
}

static void an_answer_cut_short_is_no_answer(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_LIST].raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]";
	struct listing l = list_containers();
	assert_true(l.o.failed);
	assert_int_equal(l.o.err.code, ENOTCONN);
	assert_says(l.o.err, "did not answer the request to list containers");
}

static void an_answer_without_bounds_is_given_up(void **state)
{
	size_t len = (32u << 20) + 1;
	char *body = mem_alloc(len + 1);

	(void)state;
	memset(body, ' ', len);
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 200, .body = body};
	struct listing l = list_containers();
	assert_true(l.o.failed);
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){0};
	rig_barrier();
	free(body);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_rig_each, docker_rig_after_each)
	const struct CMUnitTest tests[] = {
		TEST(a_container_that_runs_is_told_with_its_id_and_its_first_process),
		TEST(a_container_that_ended_is_told_with_its_exit_code_and_whether_memory_ran_out),
		TEST(a_container_that_is_not_there_is_told_as_such),
		TEST(an_engine_that_cannot_say_how_a_container_is_is_told_in_its_words),
		TEST(an_answer_that_does_not_say_whether_a_container_runs_is_no_answer),
		TEST(what_an_answer_says_in_the_wrong_type_counts_as_not_said),
		TEST(the_list_has_all_containers_of_this_instance_and_no_others),
		TEST(entries_that_are_no_containers_of_ours_are_passed_over),
		TEST(a_list_that_is_no_list_is_an_error),
		TEST(an_answer_cut_short_is_no_answer),
		TEST(an_answer_without_bounds_is_given_up),
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
