/* The output that a function prints: all of it is read, and it does not delay the answer. */
#include "run/invocation.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "output/printed.h"
#include "tests/unit/run/invocation_rig.h"

static void print_between(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fd_write_all(log, "late thread\n", 12, NULL);
	expect_invoke(control, &payload);
	fd_write_all(log, "mine\n", 5, NULL);
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

static void print_an_entry(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	fd_write_all(log, PRINTED_MARK("level4") "mine\n", PRINTED_MARK_SIZE + 5, NULL);
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

/* As if the sandbox had run another invocation, a second ago. */
static void run_another_before(struct fixture *f, uint32_t room)
{
	f->lease.last = (struct last){{{7}}, clock_wall_us() - 1000000, room};
}

static void assert_late(const struct fixture *f, const char *text)
{
	assert_int_equal(f->outcome.late.of.id.bytes[0], 7);
	assert_int_equal(f->outcome.late.log.len, strlen(text));
	assert_memory_equal(f->outcome.late.log.data, text, strlen(text));
}

static void what_was_printed_before_is_late_output_of_the_invocation_before(void **state)
{
	struct fixture *f = *state;

	start_agent(f, print_between);
	await_readable(f->agent.log_fd);
	run_another_before(f, 100);
	invoke(f);
	assert_output(f, "1");
	assert_late(f, "late thread\n");
	assert_int_equal(f->outcome.late.of.room, 100);
	assert_int_equal(f->outcome.late.log_bytes, 12);
	assert_in_range(f->outcome.late.log_times.data[1] & 0x7f, 0, 127);
	assert_int_equal(f->outcome.log_bytes, 5);
	assert_memory_equal(f->outcome.log.data, "mine\n", 5);
	assert_int_equal(f->lease.last.room, f->lease.log_bytes - 5);
}

static void late_output_is_cut_to_the_room_that_its_invocation_has_left(void **state)
{
	struct fixture *f = *state;

	start_agent(f, print_between);
	await_readable(f->agent.log_fd);
	run_another_before(f, 4);
	invoke(f);
	assert_late(f, "late");
	assert_int_equal(f->outcome.late.log_bytes, 12);
}

static void what_was_printed_since_the_code_was_loaded_belongs_to_the_first_invocation(void **state)
{
	struct fixture *f = *state;

	start_agent(f, print_between);
	await_readable(f->agent.log_fd);
	invoke(f);
	assert_int_equal(f->outcome.late.log_bytes, 0);
	assert_int_equal(f->outcome.log_bytes, 17);
}

static void what_was_printed_while_loading_ahead_begins_the_log_of_the_first_invocation(void **state)
{
	struct fixture *f = *state;

	loaded_add(&f->lease.loaded, PRINTED_STDERR, "loading\n", 8);
	run_script(f, print_an_entry);
	assert_int_equal(f->outcome.log_bytes, 13);
	assert_memory_equal(f->outcome.log.data, "loading\nmine\n", 13);
	assert_int_equal(f->lease.loaded.texts[PRINTED_STDERR].len, 0);
}

static void load_and_print(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fake_agent_expect(control, FRAME_INIT, &payload);
	fd_write_all(log, "loading\n", 8, NULL);
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

static void what_is_printed_while_loading_ahead_stays_with_the_lease(void **state)
{
	struct fixture *f = *state;

	buf_add_str(&f->lease.init, INIT);
	start_agent(f, load_and_print);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_int_equal(f->outcome.kind, OUTCOME_SUCCESS);
	assert_int_equal(f->lease.loaded.texts[PRINTED_STDOUT].len, 8);
	loaded_free(&f->lease.loaded);
}

static void end_late(int control, int log)
{
	(void)control;
	fd_write_all(log, PRINTED_FAILED "boom\n", PRINTED_MARK_SIZE + 5, NULL);
}

static void what_a_sandbox_printed_that_has_ended_is_late_output(void **state)
{
	struct fixture *f = *state;

	start_agent(f, end_late);
	await_readable(f->agent.log_fd);
	await_readable(f->agent.control_fd);
	run_another_before(f, 100);
	invoke(f);
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_late(f, "boom\n");
	assert_int_equal(f->outcome.late.failures, 1);
	assert_int_equal(f->lease.last.id.bytes[0], 7);
}

static void which_entry_has_which_level_is_in_the_outcome(void **state)
{
	struct fixture *f = *state;

	run_script(f, print_an_entry);
	assert_output(f, "1");
	assert_int_equal(f->outcome.log_bytes, 5);
	assert_memory_equal(f->outcome.log.data, "mine\n", 5);
	assert_int_equal(f->outcome.log_levels.len, 2);
	assert_memory_equal(f->outcome.log_levels.data, "\0\10", 2);
}

#define FLOOD (64 << 20)

static void print_a_flood(int control, int log)
{
	static char line[65536];
	AUTO(buf_free) struct buf payload = {0};

	memset(line, 'x', sizeof(line));
	expect_invoke(control, &payload);
	for (size_t done = 0; done < FLOOD; done += sizeof(line))
		fd_write_all(log, line, sizeof(line), NULL);
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

static void a_flood_of_log_is_read_counted_and_costs_no_memory(void **state)
{
	struct fixture *f = *state;
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	run_script(f, print_a_flood);
	getrusage(RUSAGE_SELF, &after);
	assert_output(f, "1");
	assert_int_equal(f->outcome.log.len, 4096);
	assert_int_equal(f->outcome.log_bytes, FLOOD);
	assert_true(after.ru_maxrss - before.ru_maxrss < 16384);
}

static void print_for_ever(int control, int log)
{
	static char line[65536];
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	while (fd_write_all(log, line, sizeof(line), NULL) == 0)
		;
}

static void a_log_without_end_does_not_outlast_the_deadline(void **state)
{
	struct fixture *f = *state;

	signal(SIGPIPE, SIG_IGN);
	f->lease.timeout_ms = 200;
	run_script(f, print_for_ever);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_in_range(f->outcome.exec_us, 200000, 1500000);
}

static void print_letters_for_ever(int control, int log)
{
	static char letters[65536];
	AUTO(buf_free) struct buf payload = {0};

	memset(letters, 'a', sizeof(letters));
	expect_invoke(control, &payload);
	while (fd_write_all(log, letters, sizeof(letters), NULL) == 0)
		;
}

/* Secrets are searched for while the function prints, so the work at the deadline does not grow with their number. */
static void secrets_without_number_do_not_outlast_the_deadline(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf secrets = {0};
	int64_t start_us = clock_mono_us();

	for (size_t len = 8; len < 250; len++) {
		memset(buf_reserve(&secrets, len), 'a', len);
		secrets.len += len;
		buf_add(&secrets, "", 1);
	}
	f->lease.mask = mask_new(secrets.data, secrets.len);
	f->lease.timeout_ms = 200;
	f->lease.log_bytes = 16 << 20;
	signal(SIGPIPE, SIG_IGN);
	run_script(f, print_letters_for_ever);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_log(f, "***");
	assert_in_range(clock_mono_us() - start_us, 200000, 1500000);
}

/* Prints more than a socket holds before it reads; a host that only writes would wait forever. */
static void print_before_reading(int control, int log)
{
	static char line[1 << 20];
	AUTO(buf_free) struct buf payload = {0};

	usleep(50000);
	fd_write_all(log, line, sizeof(line), NULL);
	expect_invoke(control, &payload);
	fd_write_all(log, line, sizeof(line), NULL);
	char text[32];
	snprintf(text, sizeof(text), "%zu", payload.len);
	fake_agent_result(control, ID, text);
	fake_agent_wait_for_close(control);
}

static void a_large_input_and_a_large_log_do_not_wait_for_each_other(void **state)
{
	struct fixture *f = *state;
	size_t len = 6 << 20;
	char *body = malloc(len), expected[32];

	memset(body, ' ', len);
	start_agent(f, print_before_reading);
	invoke_with(f, body, len);
	snprintf(expected, sizeof(expected), "%zu",
		 len + strlen("{\"invocation_id\":\"" ID "\",\"request_id\":\"" REQUEST_ID "\",\"remaining_ms\":2000}\n"));
	assert_output(f, expected);
	assert_int_equal(f->outcome.log_bytes, 2 << 20);
	free(body);
}

static void close_the_log_and_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	close(log);
	usleep(100000);
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

static int64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void a_function_that_closes_its_log_can_still_answer(void **state)
{
	struct fixture *f = *state;
	int64_t before_us = cpu_us();

	run_script(f, close_the_log_and_answer);
	assert_output(f, "1");
	/* The end of the log must not make poll return all the time. */
	assert_true(cpu_us() - before_us < 60000);
}

/* Events just before and just after the worker looks for an answer. */
static void (*before_poll)(const struct pollfd *p);
static void (*after_poll)(const struct pollfd *p);

int __real_slow_timer_poll(struct slow_timer *p, struct pollfd *fds, nfds_t count, int64_t deadline_us);
int __wrap_slow_timer_poll(struct slow_timer *p, struct pollfd *fds, nfds_t count, int64_t deadline_us);

int __wrap_slow_timer_poll(struct slow_timer *p, struct pollfd *fds, nfds_t count, int64_t deadline_us)
{
	if (before_poll != NULL)
		before_poll(fds);
	int rc = __real_slow_timer_poll(p, fds, count, deadline_us);
	if (after_poll != NULL)
		after_poll(fds);
	return rc;
}

static void assert_each_log_is_whole(struct fixture *f)
{
	for (int i = 0; i < LOG_ROUNDS; i++) {
		invoke(f);
		assert_output(f, "1");
		assert_int_equal(f->outcome.log.len, MIN(line_length(i), 4096));
		assert_int_equal(f->outcome.log_bytes, line_length(i));
		assert_int_equal(f->outcome.late.log_bytes, 0);
	}
}

static void what_was_printed_before_the_answer_is_always_read(void **state)
{
	struct fixture *f = *state;

	start_agent(f, print_and_answer_many);
	assert_each_log_is_whole(f);
	assert_script_ended_well(f);
}

static void wait_for_log_and_answer(const struct pollfd *p)
{
	await_readable(p[0].fd);
	await_readable(p[1].fd);
}

static void what_is_there_together_with_the_answer_is_read(void **state)
{
	struct fixture *f = *state;

	before_poll = wait_for_log_and_answer;
	start_agent(f, print_and_answer_many);
	assert_each_log_is_whole(f);
	before_poll = NULL;
	assert_script_ended_well(f);
}

static void load_then_print_and_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fake_agent_expect(control, FRAME_INIT, &payload);
	fake_agent_send(control, FRAME_READY, "{}");
	expect_invoke(control, &payload);
	usleep(20000); /* so that the worker sees only READY */
	fd_write_all(log, "hello\n", 6, NULL);
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

/* Delays the worker between seeing and reading READY until the result has arrived too. */
static void wait_for_the_log_in_between(const struct pollfd *p)
{
	int len = 0;

	if (p[1].revents != 0)
		return;
	await_readable(p[1].fd);
	while (len <= FRAME_HEADER_SIZE + 2) {
		assert_int_equal(ioctl(p[0].fd, FIONREAD, &len), 0);
		usleep(100);
	}
}

static void what_was_printed_between_ready_and_a_result_that_came_at_once_is_read(void **state)
{
	struct fixture *f = *state;

	after_poll = wait_for_the_log_in_between;
	buf_add_str(&f->lease.init, INIT);
	run_script(f, load_then_print_and_answer);
	after_poll = NULL;
	assert_output(f, "1");
	assert_int_equal(f->outcome.log.len, 6);
	assert_script_ended_well(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, invocation_set_up, invocation_tear_down)
		TEST(what_was_printed_before_is_late_output_of_the_invocation_before),
		TEST(late_output_is_cut_to_the_room_that_its_invocation_has_left),
		TEST(what_was_printed_since_the_code_was_loaded_belongs_to_the_first_invocation),
		TEST(what_was_printed_while_loading_ahead_begins_the_log_of_the_first_invocation),
		TEST(what_is_printed_while_loading_ahead_stays_with_the_lease),
		TEST(what_a_sandbox_printed_that_has_ended_is_late_output),
		TEST(which_entry_has_which_level_is_in_the_outcome),
		TEST(a_flood_of_log_is_read_counted_and_costs_no_memory),
		TEST(a_log_without_end_does_not_outlast_the_deadline),
		TEST(secrets_without_number_do_not_outlast_the_deadline),
		TEST(a_large_input_and_a_large_log_do_not_wait_for_each_other),
		TEST(a_function_that_closes_its_log_can_still_answer),
		TEST(what_was_printed_before_the_answer_is_always_read),
		TEST(what_is_there_together_with_the_answer_is_read),
		TEST(what_was_printed_between_ready_and_a_result_that_came_at_once_is_read),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
