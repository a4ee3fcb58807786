#include "run/slow_timer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "tests/unit/unit.h"

struct fixture {
	struct slow_timer slow_timer;
	struct pollfd pipe; /* empty */
	int write_fd;
	int over; /* times */
	int64_t over_at_us;
	int64_t until_us; /* known then */
	int again;        /* times more it wants to be called */
	int64_t again_us; /* that much later */
	int write_at;     /* makes the pipe readable at that call */
};

static int64_t on_over(void *arg)
{
	struct fixture *f = arg;

	f->over_at_us = clock_mono_us();
	f->until_us = f->slow_timer.until_us;
	if (++f->over == f->write_at)
		assert_int_equal(write(f->write_fd, "x", 1), 1);
	return f->again-- > 0 ? f->over_at_us + f->again_us : INT64_MAX;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	f->pipe = (struct pollfd){.fd = fds[0], .events = POLLIN};
	f->write_fd = fds[1];
	f->slow_timer = (struct slow_timer){.due_us = INT64_MAX, .over = on_over, .arg = f};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->pipe.fd);
	close(f->write_fd);
	free(f);
	return 0;
}

static int wait_until(struct fixture *f, int64_t deadline_us)
{
	return slow_timer_poll(&f->slow_timer, &f->pipe, 1, deadline_us);
}

static void without_a_slow_timer_it_is_poll(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us();

	slow_timer_fire(NULL);
	assert_int_equal(slow_timer_poll(NULL, &f->pipe, 1, start_us + 20000), 0);
	assert_true(clock_mono_us() >= start_us + 20000);
	assert_int_equal(write(f->write_fd, "x", 1), 1);
	assert_int_equal(slow_timer_poll(NULL, &f->pipe, 1, INT64_MAX), 1);
}

static void nobody_is_told_when_nobody_wants_to_know(void **state)
{
	struct fixture *f = *state;

	slow_timer_fire(&f->slow_timer);
	assert_int_equal(wait_until(f, clock_mono_us() + 10000), 0);
	assert_int_equal(f->over, 0);
}

static void it_ends_when_it_is_due_and_the_wait_goes_on(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us();

	f->slow_timer.due_us = start_us + 20000;
	assert_int_equal(wait_until(f, start_us + 60000), 0);
	assert_int_equal(f->over, 1);
	assert_true(f->over_at_us >= start_us + 20000);
	assert_true(clock_mono_us() >= start_us + 60000);
	assert_true(f->slow_timer.due_us == INT64_MAX);
	assert_int_equal(wait_until(f, clock_mono_us()), 0);
	assert_int_equal(f->over, 1);
}

static void what_comes_while_it_ends_is_still_seen(void **state)
{
	struct fixture *f = *state;

	f->write_at = 1;
	f->slow_timer.due_us = clock_mono_us() + 5000;
	assert_int_equal(wait_until(f, INT64_MAX), 1);
	assert_int_equal(f->over, 1);
	assert_int_equal(f->pipe.revents, POLLIN);
}

static void what_is_there_already_does_not_cost_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write(f->write_fd, "x", 1), 1);
	f->slow_timer.due_us = clock_mono_us() - 1000;
	assert_int_equal(wait_until(f, INT64_MAX), 1);
	assert_int_equal(f->over, 0);
}

static void a_deadline_before_it_is_due_leaves_it_as_it_is(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us(), due_us = start_us + 60000000;

	f->slow_timer.due_us = due_us;
	assert_int_equal(wait_until(f, start_us + 10000), 0);
	assert_int_equal(f->over, 0);
	assert_true(f->slow_timer.due_us == due_us);
}

static void it_may_want_to_be_asked_again(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us();

	f->again = 2;
	f->again_us = 10000;
	f->write_at = 3;
	f->slow_timer.due_us = start_us + 10000;
	assert_int_equal(wait_until(f, INT64_MAX), 1);
	assert_int_equal(f->over, 3);
	assert_true(f->over_at_us >= start_us + 30000);
	assert_true(f->slow_timer.due_us == INT64_MAX);
}

static void it_can_be_ended_before_it_is_due_and_ends_once(void **state)
{
	struct fixture *f = *state;

	f->slow_timer.due_us = clock_mono_us() + 60000000;
	slow_timer_fire(&f->slow_timer);
	assert_int_equal(f->over, 1);
	slow_timer_fire(&f->slow_timer);
	assert_int_equal(f->over, 1);
}

static void what_is_known_to_outlast_it_ends_it_at_once_and_says_until_when(void **state)
{
	struct fixture *f = *state;

	f->slow_timer.due_us = 1000;
	slow_timer_expect(&f->slow_timer, 1000);
	assert_int_equal(f->over, 0);
	slow_timer_expect(&f->slow_timer, 5000);
	assert_int_equal(f->over, 1);
	assert_int_equal(f->until_us, 5000);
	assert_int_equal(f->slow_timer.until_us, 0);
	slow_timer_expect(&f->slow_timer, 9000); /* nobody wants to know any more */
	assert_int_equal(f->over, 1);
	slow_timer_expect(NULL, 9000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(without_a_slow_timer_it_is_poll),
		TEST(nobody_is_told_when_nobody_wants_to_know),
		TEST(it_ends_when_it_is_due_and_the_wait_goes_on),
		TEST(what_comes_while_it_ends_is_still_seen),
		TEST(what_is_there_already_does_not_cost_it),
		TEST(a_deadline_before_it_is_due_leaves_it_as_it_is),
		TEST(it_may_want_to_be_asked_again),
		TEST(it_can_be_ended_before_it_is_due_and_ends_once),
		TEST(what_is_known_to_outlast_it_ends_it_at_once_and_says_until_when),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
