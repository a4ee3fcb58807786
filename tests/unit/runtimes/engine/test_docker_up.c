/* Whether Docker Engine is up, and when that is reported. */
#include <errno.h>

#include "base/mem.h"
#include "tests/unit/runtimes/engine/docker_rig.h"

/* ---- Up and down ---- */

static void going_and_coming_are_told_once_each(void **state)
{
	(void)state;
	for (int i = 1; i <= 2; i++) {
		fake_docker_stop(rig.engine);
		WAIT_FOR(!docker_is_up(rig.docker));
		assert_int_equal(rig.downs, i);
		assert_non_null(strstr(docker_problem(rig.docker), "Docker Engine does not answer at"));
		assert_false(docker_is_unknown(rig.docker));

		struct listing l = list_containers(); /* fails at once, without waiting */
		assert_int_equal(l.o.err.code, ENOTCONN);
		assert_int_equal(rig.downs, i);

		fake_docker_start(rig.engine);
		WAIT_FOR(docker_is_up(rig.docker) && fake_docker_streams(rig.engine) == 1);
		assert_int_equal(rig.ups, i);
		assert_int_equal(rig.downs, i);
		assert_string_equal(docker_problem(rig.docker), "");
	}
}

static void one_probe_that_fails_is_no_outage(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_VERSION] = (struct fake_manner){.status = 500, .body = "{}"};
	provoke_probe();
	rig.engine->manner[FAKE_VERSION] = (struct fake_manner){0};
	provoke_probe();
	rig_barrier();
	assert_true(docker_is_up(rig.docker));
	assert_int_equal(rig.downs, 0);
}

static void an_engine_that_is_down_is_asked_after_twice_as_long_each_time(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_VERSION] = (struct fake_manner){.status = 500, .body = "{}"};
	provoke_probe();
	int before = rig.engine->calls[FAKE_VERSION];
	int64_t start_us = clock_mono_us();
	WAIT_FOR(rig.engine->calls[FAKE_VERSION] >= before + 3);
	assert_true(clock_mono_us() - start_us >=
		    1400000 - 50000); /* 200, 400 and 800 ms; libuv's clock does not advance in between */
	rig.engine->manner[FAKE_VERSION] = (struct fake_manner){0};
	WAIT_FOR(docker_is_up(rig.docker));
}

/* An engine that is told to stop still serves its connections, and ends its containers. */
static void an_engine_that_takes_no_new_connection_is_down_at_once(void **state)
{
	(void)state;
	assert_false(check_image("any").failed); /* this leaves a connection that could be used again */
	fake_docker_stop_listening(rig.engine);
	docker_doubt(rig.docker);
	WAIT_FOR(rig.downs == 1);
	assert_false(docker_is_up(rig.docker));
	assert_int_equal(fake_docker_streams(rig.engine), 1);
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
	assert_int_equal(rig.ups, 1);
}

static void an_engine_without_the_containerd_it_had_is_down_until_that_is_back(void **state)
{
#define SAYS(components)                                                                                                       \
	((struct fake_manner){.status = 200,                                                                                   \
			      .body = "{\"Version\":\"1\",\"ApiVersion\":\"1.41\",\"Components\":" components "}"})
	(void)state;
	rig.engine->manner[FAKE_VERSION] = SAYS("[{\"Name\":\"Engine\"}]"); /* it has not reported a containerd before */
	provoke_probe();
	rig.engine->manner[FAKE_VERSION] = SAYS("[{\"Name\":\"Engine\"},7,{\"Name\":\"containerd\"}]");
	provoke_probe();
	rig_barrier();
	assert_int_equal(rig.downs, 0);
	rig.engine->manner[FAKE_VERSION] = SAYS("[{\"Name\":\"Engine\"}]");
	provoke_probe();
	WAIT_FOR(rig.downs == 1);
	assert_non_null(strstr(docker_problem(rig.docker), "containerd"));
	rig.engine->manner[FAKE_VERSION] = SAYS("[{\"Name\":\"containerd\"}]");
	WAIT_FOR(docker_is_up(rig.docker));
	assert_int_equal(rig.ups, 1);
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	rig.engine->manner[FAKE_VERSION] = SAYS("[]"); /* a new engine, which has none */
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
}

static void doubts_do_not_hammer_the_engine(void **state)
{
	(void)state;
	docker_doubt(rig.docker);
	WAIT_FOR(rig.engine->calls[FAKE_VERSION] == 1);
	int64_t first_us = clock_mono_us();
	for (int i = 0; i < 100 && rig.engine->calls[FAKE_VERSION] < 2; i++) {
		docker_doubt(rig.docker);
		rig_turn();
	}
	WAIT_FOR(rig.engine->calls[FAKE_VERSION] >= 2);
	assert_true(clock_mono_us() - first_us > 300000);
}

static void an_engine_that_recovers_without_dropping_the_event_stream_is_told_up(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_VERSION] = (struct fake_manner){.status = 500, .body = "{}"};
	provoke_probe();
	WAIT_FOR(rig.downs == 1);
	assert_int_equal(fake_docker_streams(rig.engine), 1);
	rig.engine->manner[FAKE_VERSION] = (struct fake_manner){0};
	WAIT_FOR(docker_is_up(rig.docker));
	assert_int_equal(rig.ups, 1);
	assert_int_equal(fake_docker_streams(rig.engine), 1);
}

static void count_one(void *arg)
{
	++*(int *)arg;
}

static void an_engine_that_was_never_there_is_unknown_then_down(void **state)
{
	struct conf conf = *rig.conf;
	AUTO(mem_free) char *path = mem_printf("%s/absent.sock", rig.dir);
	AUTO(docker_free) struct docker *docker = NULL;
	struct err err;
	int downs = 0;

	(void)state;
	conf.docker_socket = path;
	struct docker_events counting = {.down = count_one, .arg = &downs};
	assert_ok(docker_new(rig.loop, &conf, &counting, &docker, &err));
	assert_true(docker_is_unknown(docker));
	assert_false(docker_is_up(docker));
	assert_non_null(strstr(docker_problem(docker), "not asked yet"));
	WAIT_FOR(downs > 0);
	assert_false(docker_is_unknown(docker));
	assert_non_null(strstr(docker_problem(docker), path));
	assert_string_equal(docker_version(docker), "");
	assert_int_equal(downs, 1);
}

static void freeing_the_driver_drops_its_probe_and_its_event_stream(void **state)
{
	int ups = 0, downs = 0;
	struct docker_events counting = {.up = count_one, .down = count_one, .arg = &ups};
	struct docker *docker;
	struct err err;

	(void)state;
	assert_ok(docker_new(rig.loop, rig.conf, &counting, &docker, &err));
	WAIT_FOR(ups > 0);
	WAIT_FOR(fake_docker_streams(rig.engine) == 2);
	docker_free(&docker);
	assert_null(docker);
	docker_free(&docker);
	WAIT_FOR(fake_docker_streams(rig.engine) == 1);

	counting.arg = &downs;
	rig.engine->manner[FAKE_VERSION].hold = true;
	assert_ok(docker_new(rig.loop, rig.conf, &counting, &docker, &err));
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_VERSION) == 1);
	docker_free(&docker);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_VERSION) == 0); /* the connection is closed */
	assert_int_equal(ups, 1);
	assert_int_equal(downs, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_rig_each, docker_rig_after_each)
	const struct CMUnitTest tests[] = {
		TEST(going_and_coming_are_told_once_each),
		TEST(one_probe_that_fails_is_no_outage),
		TEST(an_engine_that_is_down_is_asked_after_twice_as_long_each_time),
		TEST(an_engine_that_takes_no_new_connection_is_down_at_once),
		TEST(an_engine_without_the_containerd_it_had_is_down_until_that_is_back),
		TEST(doubts_do_not_hammer_the_engine),
		TEST(an_engine_that_recovers_without_dropping_the_event_stream_is_told_up),
		TEST(an_engine_that_was_never_there_is_unknown_then_down),
		TEST(freeing_the_driver_drops_its_probe_and_its_event_stream),
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
