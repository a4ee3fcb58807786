#include "tests/unit/poolmgr/sandbox_rig.h"

#include "poolmgr/sandbox/freezer.h"

static void what_rests_is_frozen_after_its_time_and_thawed_before_it_is_used(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_with(1, &c);
	int64_t after_us = rig.conf->pool_freeze_after_ms * 1000;
	tick(s->since_us + after_us - 1);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
	tick(s->since_us + after_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	tick(s->since_us + 2 * after_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), ""); /* once */

	s->version = version_ref(&version);
	sandbox_set_state(s, SANDBOX_ASSIGNED);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	tick(s->since_us + 2 * after_us);
	sandbox_set_state(s, SANDBOX_LEASED);
	tick(s->since_us + 2 * after_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");

	for (int i = 0; i < 2; i++) {
		sandbox_set_state(s, SANDBOX_IDLE);
		tick(s->since_us + after_us - 1);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
		tick(s->since_us + after_us);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
		sandbox_set_state(s, SANDBOX_LEASED);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	}
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

static void what_is_frozen_is_let_go_for_a_moment_now_and_then(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_with(1, &c);
	int64_t frozen_us = s->since_us + rig.conf->pool_freeze_after_ms * 1000;
	WAIT_FOR(docker_is_heard(rig.docker));
	for (int i = 1; i <= 2; i++) {
		tick(frozen_us);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
		tick(frozen_us + 19939999);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
		tick(frozen_us + 19940000);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
		frozen_us += 20000000;
	}
	tick(frozen_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

static void nothing_is_frozen_while_docker_engine_is_not_heard_of(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_with(1, &c);
	int64_t late_us = s->since_us + rig.conf->pool_freeze_after_ms * 1000;
	WAIT_FOR(docker_is_heard(rig.docker));
	tick(late_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_heard(rig.docker));
	tick(late_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	tick(late_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_heard(rig.docker));
	tick(late_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

static void of_several_those_are_frozen_that_have_rested_long_enough(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(fake_cgroup_free) struct fake_cgroup d = fake_cgroup_new();
	AUTO(fake_cgroup_free) struct fake_cgroup e = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *a = create_with(2, &c), *b = create_with(2, &d), *young = create_with(2, &e);
	a->since_us -= 2000;
	b->since_us -= 1000;
	tick(b->since_us + rig.conf->pool_freeze_after_ms * 1000);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "1");
	assert_string_equal(fake_cgroup_written(&d, CGROUP_FREEZER), "1");
	assert_string_equal(fake_cgroup_written(&e, CGROUP_FREEZER), "");
	sandbox_kill(a, COUNT_KILL_USED_UP);
	sandbox_kill(b, COUNT_KILL_USED_UP);
	sandbox_kill(young, COUNT_KILL_USED_UP);
}

/* As a worker gives it back: it had used that much at the end of its invocation. */
static void give_back(struct sandbox *s, int64_t cpu_read_us)
{
	s->cpu_read_us = cpu_read_us;
	sandbox_set_state(s, SANDBOX_IDLE);
}

static struct sandbox *create_used(const struct fake_cgroup *c, int64_t cpu_read_us)
{
	struct sandbox *s = create_with(1, c);

	s->version = version_ref(&version);
	sandbox_set_state(s, SANDBOX_ASSIGNED);
	sandbox_set_state(s, SANDBOX_LEASED);
	give_back(s, cpu_read_us);
	WAIT_FOR(docker_is_heard(rig.docker));
	return s;
}

static void what_works_on_while_it_is_idle_is_frozen_as_soon_as_that_is_seen(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_used(&c, 1000);
	fake_cgroup_say(&c, CGROUP_CPU, "21000000\n");
	tick(s->since_us + 50000);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
	fake_cgroup_say(&c, CGROUP_CPU, "61000000\n");
	tick(s->since_us + 100000);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	tick(s->since_us + 200000);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");

	sandbox_set_state(s, SANDBOX_LEASED);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	assert_true(s->restless);
	give_back(s, 70000);
	freezer_freeze(s);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

/* gVisor's kernel takes a twentieth of a processor. */
static void a_little_work_while_it_is_idle_is_none(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	int64_t after_us = rig.conf->pool_freeze_after_ms * 1000;
	char text[32];

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_used(&c, 0);
	for (int64_t us = 0; us < after_us; us += 50000) {
		snprintf(text, sizeof(text), "%lld\n", (long long)(15000 + us / 20) * 1000);
		fake_cgroup_say(&c, CGROUP_CPU, text);
		tick(s->since_us + us);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
	}
	assert_false(s->restless);
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SANDBOX_TEST(what_rests_is_frozen_after_its_time_and_thawed_before_it_is_used),
		SANDBOX_TEST(what_is_frozen_is_let_go_for_a_moment_now_and_then),
		SANDBOX_TEST(nothing_is_frozen_while_docker_engine_is_not_heard_of),
		SANDBOX_TEST(what_works_on_while_it_is_idle_is_frozen_as_soon_as_that_is_seen),
		SANDBOX_TEST(a_little_work_while_it_is_idle_is_none),
		SANDBOX_TEST(of_several_those_are_frozen_that_have_rested_long_enough),
	};

	return cmocka_run_group_tests(tests, sandbox_rig_set_up, engine_rig_tear_down);
}
