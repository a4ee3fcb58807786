/* How a worker reacts to an invocation that takes long (run/slow_timer.h). */
#include "run/invocation.h"

#include "base/clock.h"
#include "tests/unit/run/invocation_rig.h"

static int64_t on_over(void *arg)
{
	struct fixture *f = arg;

	f->over++;
	return INT64_MAX;
}

static void use_slow_timer(struct fixture *f, int64_t after_us, int64_t (*over)(void *arg))
{
	f->slow_timer = (struct slow_timer){.due_us = clock_mono_us() + after_us, .over = over, .arg = f};
	invocation_free(&f->invocation);
	f->invocation = invocation_new(f->conf, NULL, &f->slow_timer);
}

static void answer_in_a_while(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	usleep(150000);
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

static void the_slow_timer_fires_when_an_answer_takes_long(void **state)
{
	struct fixture *f = *state;

	use_slow_timer(f, 20000, on_over);
	run_script(f, answer_in_a_while);
	assert_output(f, "1");
	assert_int_equal(f->over, 1);
}

static void load_slowly(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
	usleep(150000);
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

static void the_slow_timer_fires_when_loading_takes_long(void **state)
{
	struct fixture *f = *state;

	use_slow_timer(f, 20000, on_over);
	buf_add_str(&f->lease.init, INIT);
	start_agent(f, load_slowly);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_int_equal(f->outcome.kind, OUTCOME_SUCCESS);
	assert_int_equal(f->over, 1);
}

#define MINUTE 60000000

static void a_fast_answer_does_not_fire_the_slow_timer(void **state)
{
	struct fixture *f = *state;

	use_slow_timer(f, 5 * MINUTE, on_over);
	f->lease.usual_us = MINUTE;
	run_script(f, print_and_answer);
	assert_output(f, "{\"a\": [1]}");
	assert_int_equal(f->over, 0);
}

/* The agent prints when it has received its request. */
static int64_t on_over_wait_for_the_agent(void *arg)
{
	struct fixture *f = arg;

	await_readable(f->lease.log_fd);
	return on_over(arg);
}

static void a_version_known_to_be_slow_ends_it_as_soon_as_it_has_its_request(void **state)
{
	struct fixture *f = *state;

	use_slow_timer(f, MINUTE, on_over_wait_for_the_agent);
	f->lease.usual_us = 2 * MINUTE;
	run_script(f, print_and_answer);
	assert_output(f, "{\"a\": [1]}");
	assert_int_equal(f->over, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, invocation_set_up, invocation_tear_down)
		TEST(the_slow_timer_fires_when_an_answer_takes_long),
		TEST(the_slow_timer_fires_when_loading_takes_long),
		TEST(a_fast_answer_does_not_fire_the_slow_timer),
		TEST(a_version_known_to_be_slow_ends_it_as_soon_as_it_has_its_request),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
