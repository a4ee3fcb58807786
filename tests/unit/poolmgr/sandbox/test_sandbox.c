#include "tests/unit/poolmgr/sandbox_rig.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <utlist.h>

#include "base/fd.h"
#include "base/mem.h"

/* ---- States ---- */

#define TO(state) (1u << SANDBOX_##state)

static const unsigned allowed[SANDBOX_STATE_COUNT] = {
	[SANDBOX_CREATING] = TO(BOOTING) | TO(DYING), [SANDBOX_BOOTING] = TO(SPARE) | TO(DYING),
	[SANDBOX_SPARE] = TO(ASSIGNED) | TO(DYING),   [SANDBOX_ASSIGNED] = TO(WARMING) | TO(LEASED) | TO(IDLE) | TO(DYING),
	[SANDBOX_WARMING] = TO(IDLE) | TO(DYING),     [SANDBOX_LEASED] = TO(IDLE) | TO(DYING),
	[SANDBOX_IDLE] = TO(LEASED) | TO(DYING),      [SANDBOX_DYING] = TO(GONE),
};

static void every_state_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < SANDBOX_STATE_COUNT; i++) {
		assert_non_null(sandbox_state_name((enum sandbox_state)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(sandbox_state_name((enum sandbox_state)i),
						sandbox_state_name((enum sandbox_state)j));
	}
}

/* Where a sandbox in that state is listed and counted. */
static void assert_counted(const struct sandbox *s)
{
	bool coming = s->state == SANDBOX_ASSIGNED || s->state == SANDBOX_WARMING;
	bool live = coming || s->state == SANDBOX_LEASED || s->state == SANDBOX_IDLE;

	for (int i = 0; i < SANDBOX_STATE_COUNT; i++) {
		bool here = i == (int)s->state;
		assert_int_equal(sandbox_counts[i], here);
		assert_int_equal(sandbox_memory_mb[i], here ? shape.key.memory_mb : 0);
		assert_ptr_equal(sandbox_lists[i], here ? s : NULL);
	}
	assert_int_equal(shape.starting, s->state == SANDBOX_CREATING || s->state == SANDBOX_BOOTING);
	assert_int_equal(shape.spare_count, s->state == SANDBOX_SPARE);
	assert_ptr_equal(shape.spares, s->state == SANDBOX_SPARE ? s : NULL);
	assert_int_equal(version.live, live);
	assert_int_equal(version.coming, coming);
	assert_ptr_equal(version.idle, s->state == SANDBOX_IDLE ? s : NULL);
	assert_int_equal(sandbox_total(), 1);
	assert_int_equal(sandbox_total_memory_mb(), shape.key.memory_mb);
	assert_int_equal(shape.users, 1);
	assert_ptr_equal(sandbox_find(s->id), s);
}

static void every_allowed_transition_is_made_and_counted(void **state)
{
	static const enum sandbox_state way[] = {SANDBOX_BOOTING, SANDBOX_SPARE,  SANDBOX_ASSIGNED, SANDBOX_LEASED,
						 SANDBOX_IDLE,    SANDBOX_LEASED, SANDBOX_DYING};

	(void)state;
	rig.engine->manner[FAKE_CREATE].hold = true; /* nothing but this test moves it */
	struct sandbox *s = create(FAKE_BOOT_ABSENT);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
	assert_counted(s);
	for (size_t i = 0; i + 1 < ARRAY_SIZE(way); i++) {
		if (way[i] == SANDBOX_ASSIGNED)
			s->version = version_ref(&version);
		sandbox_set_state(s, way[i]);
		assert_counted(s);
	}
	sandbox_kill(s, COUNT_KILL_USED_UP);
	assert_counted(s);
	assert_int_equal(version.refs, 1);
	fake_docker_let_go(rig.engine, FAKE_CREATE);
	WAIT_FOR(seen.gone == 1);
	assert_null(sandbox_lists[SANDBOX_GONE]);

	rig.engine->manner[FAKE_CREATE].hold = false;
	for (int warms = 0; warms < 2; warms++) { /* the ways not taken above */
		s = create_in(warms ? SANDBOX_WARMING : SANDBOX_ASSIGNED);
		assert_counted(s);
		sandbox_set_state(s, SANDBOX_IDLE);
		assert_counted(s);
		sandbox_kill(s, COUNT_KILL_USED_UP);
		WAIT_FOR(sandbox_total() == 0);
	}
}

/* Does the process abort when the sandbox is put into that state? */
static bool aborts(struct sandbox *s, enum sandbox_state to)
{
	int status;

	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(SIGABRT, SIG_DFL); /* cmocka's own handler would take it for a failed test */
		fd_close(&(int){STDERR_FILENO});
		s->version = &version;
		sandbox_set_state(s, to);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void every_other_transition_aborts(void **state)
{
	static const enum sandbox_state states[] = {SANDBOX_CREATING, SANDBOX_BOOTING, SANDBOX_SPARE, SANDBOX_ASSIGNED,
						    SANDBOX_LEASED,   SANDBOX_IDLE,    SANDBOX_DYING};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		enum sandbox_state from = states[i];
		seen.gone = 0;
		rig.engine->manner[FAKE_CREATE].hold = from == SANDBOX_CREATING;
		rig.engine->manner[FAKE_REMOVE].hold = from == SANDBOX_DYING;
		struct sandbox *s = create_in(from == SANDBOX_DYING ? SANDBOX_SPARE : from);
		if (from == SANDBOX_CREATING)
			WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
		if (from == SANDBOX_DYING)
			sandbox_kill(s, COUNT_KILL_USED_UP);
		for (int to = 0; to < SANDBOX_STATE_COUNT; to++) {
			if (allowed[from] & (1u << to))
				continue;
			if (!aborts(s, (enum sandbox_state)to))
				fail_msg("%s → %s was not refused", sandbox_state_name(from),
					 sandbox_state_name((enum sandbox_state)to));
		}
		if (from == SANDBOX_DYING)
			WAIT_FOR(fake_docker_held(rig.engine, FAKE_REMOVE) == 1);
		sandbox_kill(s, COUNT_KILL_USED_UP);
		fake_docker_let_go(rig.engine, FAKE_CREATE);
		fake_docker_let_go(rig.engine, FAKE_REMOVE);
		WAIT_FOR(seen.gone == 1);
	}
}

static void lists_are_in_the_order_of_arrival_and_the_latest_idle_one_is_taken_first(void **state)
{
	struct sandbox *a = create_in(SANDBOX_IDLE), *b = create_in(SANDBOX_IDLE);

	(void)state;
	assert_ptr_equal(sandbox_lists[SANDBOX_IDLE], a);
	assert_ptr_equal(version.idle, b);
	sandbox_set_state(a, SANDBOX_LEASED);
	sandbox_set_state(a, SANDBOX_IDLE);
	assert_ptr_equal(sandbox_lists[SANDBOX_IDLE], b);
	assert_ptr_equal(version.idle, a);
	sandbox_kill(a, COUNT_KILL_USED_UP);
	sandbox_kill(b, COUNT_KILL_USED_UP);
}

/* ---- The end ---- */

static void a_container_is_removed_once_docker_engine_is_back(void **state)
{
	(void)state;
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(s->state == SANDBOX_SPARE);
	rig.engine->manner[FAKE_VERSION].status = 500; /* it answers, but not as it should */
	docker_doubt(rig.docker);
	WAIT_FOR(!docker_is_up(rig.docker));
	sandbox_kill(s, COUNT_KILL_USED_UP);
	tick(clock_mono_us());
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	rig.engine->manner[FAKE_VERSION].status = 0;
	WAIT_FOR(docker_is_up(rig.docker));
	tick(clock_mono_us());
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(fake_docker_count(rig.engine), 0);
}

static void what_rests_is_ended_when_somebody_sends_it_a_signal(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_with(1, &c);
	s->version = version_ref(&version);
	sandbox_set_state(s, SANDBOX_ASSIGNED);
	sandbox_set_state(s, SANDBOX_LEASED);
	sandbox_signalled(s);
	assert_int_equal(s->state, SANDBOX_LEASED);
	assert_false(s->dead);
	sandbox_set_state(s, SANDBOX_IDLE);
	sandbox_signalled(s);
	assert_int_equal(s->state, SANDBOX_DYING);
	struct ipc_msg m = fake_warden_next(IPC_CGROUP_KILL);
	ipc_close_fds(&m);
	WAIT_FOR(seen.gone == 1);
}

static void a_sandbox_is_killed_through_its_cgroup_before_docker_is_asked_to_remove_it(void **state)
{
	(void)state;
	fake_warden_start();
	for (uint8_t v = 1; v <= 2; v++) {
		for (int frozen = 0; frozen < 2; frozen++) {
			AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
			seen.gone = 0;
			rig.engine->calls[FAKE_REMOVE] = 0;
			struct sandbox *s = create_with(v, &c);
			if (frozen)
				tick(s->since_us + rig.conf->pool_freeze_after_ms * 1000);
			sandbox_kill(s, COUNT_KILL_USED_UP);
			assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
			assert_false(cgroup_is_open(&s->cgroup));
			if (v == 1) {
				assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
				struct ipc_msg m = fake_warden_next(IPC_CGROUP_KILL);
				assert_true(fake_cgroup_is_same(m.fds[0], c.fds[CGROUP_KILL]));
				ipc_close_fds(&m);
			} else {
				assert_string_equal(fake_cgroup_written(&c, CGROUP_KILL), "1");
				assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), frozen ? "0" : "");
			}
			WAIT_FOR(seen.gone == 1);
			assert_int_equal(rig.engine->calls[FAKE_REMOVE], 1);
		}
	}
}

static void a_sandbox_whose_agent_goes_is_removed_unless_a_worker_has_it(void **state)
{
	static const enum sandbox_state states[] = {SANDBOX_SPARE, SANDBOX_ASSIGNED, SANDBOX_IDLE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		seen.gone = seen.dead = 0;
		struct sandbox *s = create_in(states[i]);
		s->booted_us -= 3600000000; /* long ago */
		fake_container_hang_up(fake_docker_find(rig.engine, s->id));
		WAIT_FOR(seen.gone == 1);
		assert_int_equal(seen.failures, 0);
		assert_int_equal(seen.dead, states[i] == SANDBOX_IDLE);
		assert_int_equal(version.refs, 1);
	}
	seen.dead = 0;
	struct sandbox *s = create_in(SANDBOX_LEASED);
	fake_container_hang_up(fake_docker_find(rig.engine, s->id));
	WAIT_FOR(s->dead);
	assert_int_equal(s->state, SANDBOX_LEASED);
	assert_int_equal(seen.dead, 1);
	assert_int_equal(s->exit_code, -1);
	sandbox_died(s, 137); /* and again, by Docker's event */
	sandbox_died(s, -1);  /* and by its listing, which knows less */
	assert_int_equal(s->exit_code, 137);
	assert_int_equal(seen.dead, 3);
	assert_int_equal(s->state, SANDBOX_LEASED);
	sandbox_kill(s, COUNT_KILL_USED_UP);
	sandbox_died(s, -1);
}

static void a_sandbox_can_be_killed_in_any_state(void **state)
{
	(void)state;
	for (int from = SANDBOX_CREATING; from < SANDBOX_DYING; from++) {
		seen.gone = 0;
		struct sandbox *s = create_in((enum sandbox_state)from);
		sandbox_kill(s, COUNT_KILL_USED_UP);
		assert_int_equal(s->state, SANDBOX_DYING);
		assert_int_equal(s->control_fd, -1);
		assert_int_equal(s->log_fd, -1);
		assert_null(s->version);
		sandbox_kill(s, COUNT_KILL_USED_UP);
		WAIT_FOR(seen.gone == 1);
		assert_int_equal(fake_docker_count(rig.engine), 0);
		assert_int_equal(version.refs, 1);
		assert_int_equal(seen.failures, 0);
	}
}

static void a_kill_during_creation_waits_for_its_end(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_CREATE].hold = true;
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
	sandbox_kill(s, COUNT_KILL_USED_UP);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	assert_int_equal(fake_docker_let_go(rig.engine, FAKE_CREATE), 1);
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(fake_docker_count(rig.engine), 0);
	assert_int_equal(seen.failures, 0);
}

static void a_kill_during_a_creation_that_fails_ends_as_well(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_CREATE] = (struct fake_manner){.status = 500, .body = "{}", .hold = true};
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
	sandbox_kill(s, COUNT_KILL_USED_UP);
	assert_int_equal(fake_docker_let_go(rig.engine, FAKE_CREATE), 1);
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(seen.failures, 0);
}

static void a_kill_during_the_start_waits_for_its_end_good_or_bad(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		seen.gone = 0;
		rig.engine->calls[FAKE_REMOVE] = 0;
		rig.engine->manner[FAKE_START] = (struct fake_manner){.hold = true, .status = i ? 500 : 0, .body = "{}"};
		struct sandbox *s = create(FAKE_BOOT_ABSENT);
		WAIT_FOR(fake_docker_held(rig.engine, FAKE_START) == 1);
		sandbox_kill(s, COUNT_KILL_USED_UP);
		rig_barrier();
		assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
		assert_int_equal(fake_docker_let_go(rig.engine, FAKE_START), 1);
		WAIT_FOR(seen.gone == 1);
		assert_int_equal(seen.failures, 0);
	}
}

static void a_removal_that_fails_is_tried_again_with_growing_pauses(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_SPARE);
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){.status = 500, .body = "{\"message\":\"busy\"}"};
	sandbox_kill(s, COUNT_KILL_USED_UP);
	int64_t last_pause_us = 0;
	for (int i = 1; i <= 3; i++) {
		WAIT_FOR(s->remove_failures == i);
		int64_t pause_us = s->remove_retry_us - clock_mono_us();
		assert_true(pause_us > last_pause_us);
		last_pause_us = pause_us;
		tick(s->remove_retry_us - 1);
		rig_barrier();
		assert_int_equal(rig.engine->calls[FAKE_REMOVE], i);
		if (i == 3)
			rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){0};
		tick(s->remove_retry_us);
	}
	assert_true(rig_exists("sandboxes/%s", s->id)); /* as long as the container may use it */
	WAIT_FOR(seen.gone == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SANDBOX_TEST(every_state_has_a_name_of_its_own),
		SANDBOX_TEST(every_allowed_transition_is_made_and_counted),
		SANDBOX_TEST(every_other_transition_aborts),
		SANDBOX_TEST(lists_are_in_the_order_of_arrival_and_the_latest_idle_one_is_taken_first),
		SANDBOX_TEST(a_container_is_removed_once_docker_engine_is_back),
		SANDBOX_TEST(what_rests_is_ended_when_somebody_sends_it_a_signal),
		SANDBOX_TEST(a_sandbox_is_killed_through_its_cgroup_before_docker_is_asked_to_remove_it),
		SANDBOX_TEST(a_sandbox_whose_agent_goes_is_removed_unless_a_worker_has_it),
		SANDBOX_TEST(a_sandbox_can_be_killed_in_any_state),
		SANDBOX_TEST(a_kill_during_creation_waits_for_its_end),
		SANDBOX_TEST(a_kill_during_a_creation_that_fails_ends_as_well),
		SANDBOX_TEST(a_kill_during_the_start_waits_for_its_end_good_or_bad),
		SANDBOX_TEST(a_removal_that_fails_is_tried_again_with_growing_pauses),
	};

	return cmocka_run_group_tests(tests, sandbox_rig_set_up, engine_rig_tear_down);
}
