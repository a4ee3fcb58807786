/* poolmgr's side of the warden, which is played by the test; the files of the cgroups are files in memory. */
#include "tests/unit/poolmgr/fake_warden.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"

#define CONTAINER "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static int fds_before;

/* What a question came to. */
struct outcome {
	int calls;
	bool failed;
	struct err err;
	struct cgroup cgroup;
};

static void on_opened(const struct err *err, struct cgroup *cgroup, void *arg)
{
	struct outcome *o = arg;

	o->calls++;
	o->failed = err != NULL;
	if (err != NULL)
		o->err = *err;
	o->cgroup = *cgroup;
}

static struct outcome nothing_yet(void)
{
	return (struct outcome){.cgroup = CGROUP_NONE};
}

static void outcome_free(struct outcome *o)
{
	cgroup_close(&o->cgroup);
}

static void ask(struct outcome *o)
{
	cgroup_open(CONTAINER, 4711, on_opened, o);
}

/* An open one of those files, as the warden gives it. */
static struct cgroup opened(uint8_t version, const struct fake_cgroup *c)
{
	struct outcome o = nothing_yet();

	ask(&o);
	fake_warden_serve(version, c);
	WAIT_FOR(o.calls == 1);
	assert_false(o.failed);
	return o.cgroup;
}

/* ---- Questions and answers ---- */

static void the_files_of_the_container_asked_for_are_the_askers(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(outcome_free) struct outcome o = nothing_yet();

	(void)state;
	ask(&o);
	struct opening q = fake_warden_next_open();
	assert_string_equal(q.container, CONTAINER);
	assert_int_equal(q.pid, 4711);
	assert_int_equal(o.calls, 0);
	fake_warden_give(q.seq, 2, &c);
	WAIT_FOR(o.calls > 0);
	assert_int_equal(o.calls, 1);
	assert_false(o.failed);
	assert_true(cgroup_is_open(&o.cgroup));
	assert_int_equal(o.cgroup.version, 2);
	assert_false(o.cgroup.frozen);
	for (int i = 0; i < CGROUP_FD_COUNT; i++) {
		assert_true(fake_cgroup_is_same(o.cgroup.fds[i], c.fds[i]));
		assert_int_equal(fcntl(o.cgroup.fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	}
	cgroup_close(&o.cgroup);
	assert_false(cgroup_is_open(&o.cgroup));
	for (int i = 0; i < CGROUP_FD_COUNT; i++)
		assert_int_equal(o.cgroup.fds[i], -1);
}

static void a_refusal_is_told_in_the_wardens_words(void **state)
{
	AUTO(outcome_free) struct outcome o = nothing_yet();

	(void)state;
	ask(&o);
	fake_warden_refuse(fake_warden_next_open().seq, "the process is in no cgroup of that container");
	WAIT_FOR(o.calls > 0);
	assert_int_equal(o.calls, 1);
	assert_true(o.failed);
	assert_non_null(strstr(o.err.msg, "the process is in no cgroup of that container"));
	assert_false(cgroup_is_open(&o.cgroup));
}

static void answers_may_come_in_any_order(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(fake_cgroup_free) struct fake_cgroup d = fake_cgroup_new();
	struct outcome o[3] = {nothing_yet(), nothing_yet(), nothing_yet()};
	uint64_t seq[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		ask(&o[i]);
		seq[i] = fake_warden_next_open().seq;
	}
	fake_warden_give(seq[2], 1, &c);
	fake_warden_refuse(seq[1], "no");
	fake_warden_give(seq[0], 1, &d);
	WAIT_FOR(o[0].calls == 1);
	assert_int_equal(o[1].calls, 1);
	assert_int_equal(o[2].calls, 1);
	assert_true(fake_cgroup_is_same(o[0].cgroup.fds[0], d.fds[0]));
	assert_true(o[1].failed);
	assert_true(fake_cgroup_is_same(o[2].cgroup.fds[0], c.fds[0]));
	for (int i = 0; i < 3; i++)
		cgroup_close(&o[i].cgroup);
}

static void without_a_warden_the_answer_is_no_and_comes_at_once(void **state)
{
	AUTO(outcome_free) struct outcome o = nothing_yet();

	(void)state;
	fake_warden_stop();
	ask(&o);
	assert_int_equal(o.calls, 1);
	assert_true(o.failed);
	assert_int_equal(o.err.code, ENOTCONN);
	assert_non_null(strstr(o.err.msg, "there is no warden"));
}

static void a_warden_that_reads_nothing_is_no_warden(void **state)
{
	struct outcome o = nothing_yet();
	int asked = 0;

	(void)state;
	while (!o.failed && asked < 100000) {
		ask(&o);
		asked++;
	}
	assert_true(o.failed); /* its socket is full */
	assert_int_equal(o.err.code, EAGAIN);
	assert_int_equal(o.calls, 1);
	cgroup_tick(INT64_MAX); /* the others wait no longer, or they would be told to a test that is over */
	assert_int_equal(o.calls, asked);
}

static void an_answer_that_does_not_come_is_given_up_and_closed_when_it_comes_late(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(outcome_free) struct outcome o = nothing_yet();
	AUTO(outcome_free) struct outcome next = nothing_yet();

	(void)state;
	int64_t before_us = clock_mono_us();
	ask(&o);
	int64_t after_us = clock_mono_us();
	uint64_t seq = fake_warden_next_open().seq;
	cgroup_tick(before_us + 1999999);
	assert_int_equal(o.calls, 0);
	cgroup_tick(after_us + 2000000);
	assert_int_equal(o.calls, 1);
	assert_true(o.failed);
	assert_int_equal(o.err.code, ETIMEDOUT);

	int fds = unit_open_fds();
	fake_warden_give(seq, 1, &c);
	fake_warden_refuse(seq, "no");
	ask(&next);
	fake_warden_refuse(fake_warden_next_open().seq, "no"); /* behind the late ones */
	WAIT_FOR(next.calls == 1);
	assert_int_equal(o.calls, 1);
	assert_int_equal(unit_open_fds(), fds);
}

static void an_answer_to_an_earlier_poolmgr_is_not_taken_for_one_of_ours(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(outcome_free) struct outcome earlier = nothing_yet();
	AUTO(outcome_free) struct outcome o = nothing_yet();
	uint64_t old[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		ask(&earlier);
		old[i] = fake_warden_next_open().seq;
	}
	fake_warden_stop();
	fake_warden_start();
	int fds = unit_open_fds();
	ask(&o);
	uint64_t seq = fake_warden_next_open().seq;
	for (int i = 0; i < 3; i++)
		fake_warden_give(old[i], 1, &c);
	fake_warden_refuse(seq, "ours");
	WAIT_FOR(o.calls == 1);
	assert_true(o.failed);
	assert_int_equal(earlier.calls, 0); /* nobody waits for it any more */
	assert_int_equal(unit_open_fds(), fds);
}

static void the_end_of_the_socket_is_the_end_of_the_warden_and_the_loop_does_not_spin(void **state)
{
	AUTO(outcome_free) struct outcome o = nothing_yet();
	int turns = 0;

	(void)state;
	fake_warden_hang_up();
	for (int64_t start_us = clock_mono_us(); clock_mono_us() - start_us < 100000; turns++)
		rig_turn();
	assert_in_range(turns, 1, 1000); /* the rig's timer makes some fifty */
	ask(&o);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.err.code, ENOTCONN);
}

/* ---- Freezing ---- */

static void a_cgroup_is_frozen_and_thawed_in_the_words_of_its_version_and_once_each(void **state)
{
	static const char *const frozen[] = {NULL, "FROZEN", "1"}, *const thawed[] = {NULL, "THAWED", "0"};

	(void)state;
	for (uint8_t version = 1; version <= 2; version++) {
		AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
		AUTO(cgroup_close) struct cgroup cgroup = opened(version, &c);
		cgroup_thaw(&cgroup); /* it is */
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
		for (int i = 0; i < 2; i++) {
			cgroup_freeze(&cgroup);
			assert_true(cgroup.frozen);
			assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), frozen[version]);
			cgroup_freeze(&cgroup);
			assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
			cgroup_thaw(&cgroup);
			assert_false(cgroup.frozen);
			assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), thawed[version]);
			cgroup_thaw(&cgroup);
			assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
		}
		for (int i = CGROUP_CPU; i < CGROUP_FD_COUNT; i++)
			assert_string_equal(fake_cgroup_written(&c, (enum cgroup_fd)i), "");
	}
	assert_false(fake_warden_is_asked());
}

static void nothing_is_done_to_a_cgroup_that_is_not_open(void **state)
{
	struct cgroup none = CGROUP_NONE;

	(void)state;
	assert_false(cgroup_is_open(&none));
	cgroup_freeze(&none);
	assert_false(none.frozen);
	cgroup_thaw(&none);
	cgroup_kill(&none);
	cgroup_close(&none);
	assert_false(fake_warden_is_asked());
}

static void a_cgroup_that_has_ended_stays_in_the_state_it_was_in(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(cgroup_close) struct cgroup cgroup = opened(1, &c);

	(void)state;
	close(cgroup.fds[CGROUP_FREEZER]);
	cgroup.fds[CGROUP_FREEZER] = open("/dev/null", O_RDONLY | O_CLOEXEC); /* as little can be written to it */
	cgroup_freeze(&cgroup);
	assert_false(cgroup.frozen);
}

/* ---- Killing ---- */

static void on_v2_the_kernel_kills_and_what_was_frozen_is_thawed(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(cgroup_close) struct cgroup cgroup = opened(2, &c);

	(void)state;
	cgroup_kill(&cgroup);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_KILL), "1");
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
	cgroup_freeze(&cgroup);
	fake_cgroup_written(&c, CGROUP_FREEZER);
	cgroup_kill(&cgroup);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_KILL), "1");
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "0");
	assert_false(fake_warden_is_asked());
}

static void on_v1_it_is_frozen_and_the_warden_gets_the_list_of_processes_and_the_freezer(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(cgroup_close) struct cgroup cgroup = opened(1, &c);

	(void)state;
	cgroup_kill(&cgroup);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN"); /* the warden thaws */
	assert_string_equal(fake_cgroup_written(&c, CGROUP_KILL), "");
	struct ipc_msg m = fake_warden_next(IPC_CGROUP_KILL);
	assert_true(fake_cgroup_is_same(m.fds[0], c.fds[CGROUP_KILL]));
	assert_true(fake_cgroup_is_same(m.fds[1], c.fds[CGROUP_FREEZER]));
	assert_int_equal(m.fds[2], -1);
	ipc_close_fds(&m);
}

static void on_v1_without_a_warden_it_is_thawed_again_for_docker_to_kill(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(cgroup_close) struct cgroup cgroup = opened(1, &c);

	(void)state;
	fake_warden_hang_up();
	cgroup_freeze(&cgroup);
	cgroup_kill(&cgroup);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	cgroup_kill(&cgroup); /* not even frozen for a moment that lasts */
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	assert_false(cgroup.frozen);
}

static int each(void **state)
{
	int rc = engine_rig_each(state);

	rig_barrier();
	fds_before = rig_open_fds();
	fake_warden_start();
	return rc;
}

static int nothing_leaks(void **state)
{
	(void)state;
	fake_warden_stop();
	WAIT_FOR(rig_open_fds() == fds_before);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, nothing_leaks)
	const struct CMUnitTest tests[] = {
		TEST(the_files_of_the_container_asked_for_are_the_askers),
		TEST(a_refusal_is_told_in_the_wardens_words),
		TEST(answers_may_come_in_any_order),
		TEST(without_a_warden_the_answer_is_no_and_comes_at_once),
		TEST(a_warden_that_reads_nothing_is_no_warden),
		TEST(an_answer_that_does_not_come_is_given_up_and_closed_when_it_comes_late),
		TEST(an_answer_to_an_earlier_poolmgr_is_not_taken_for_one_of_ours),
		TEST(the_end_of_the_socket_is_the_end_of_the_warden_and_the_loop_does_not_spin),
		TEST(a_cgroup_is_frozen_and_thawed_in_the_words_of_its_version_and_once_each),
		TEST(nothing_is_done_to_a_cgroup_that_is_not_open),
		TEST(a_cgroup_that_has_ended_stays_in_the_state_it_was_in),
		TEST(on_v2_the_kernel_kills_and_what_was_frozen_is_thawed),
		TEST(on_v1_it_is_frozen_and_the_warden_gets_the_list_of_processes_and_the_freezer),
		TEST(on_v1_without_a_warden_it_is_thawed_again_for_docker_to_kill),
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
