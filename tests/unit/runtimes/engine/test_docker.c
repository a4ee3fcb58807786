/* The version of Docker Engine's API, the timeouts of requests, and how many requests run at a time. */
#include <errno.h>

#include "tests/unit/runtimes/engine/docker_rig.h"

static void assert_speaks(const char *prefix)
{
	negotiate("9.9.9");
	rig_barrier();
	assert_int_equal(strncmp(rig.engine->last_path[FAKE_LIST], prefix, strlen(prefix)), 0);
}

static void a_newer_engine_is_spoken_to_in_the_version_this_was_written_for(void **state)
{
	(void)state;
	rig.engine->api = "1.48";
	rig.engine->min_api = "1.24";
	assert_speaks("/v1.41/");
}

static void an_older_engine_is_spoken_to_in_its_own_version(void **state)
{
	(void)state;
	rig.engine->api = "1.38";
	assert_speaks("/v1.38/");
}

static void an_engine_that_refuses_old_clients_is_spoken_to_in_the_oldest_version_it_takes(void **state)
{
	(void)state;
	rig.engine->api = "1.52";
	rig.engine->min_api = "1.44";
	assert_speaks("/v1.44/");
}

static void an_engine_that_does_not_say_its_oldest_version_is_fine(void **state)
{
	(void)state;
	rig.engine->min_api = NULL;
	assert_speaks("/v1.41/");
}

static void what_does_not_answer_as_docker_engine_does_is_not_up(void **state)
{
	static const char *const answers[] = {"<html>nginx</html>",       "{}", "[]", "{\"ApiVersion\":41}",
					      "{\"ApiVersion\":\"2.0\"}", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		rig.engine->manner[FAKE_VERSION] = (struct fake_manner){.status = 200, .body = answers[i]};
		provoke_probe();
		WAIT_FOR(!docker_is_up(rig.docker));
		assert_non_null(strstr(docker_problem(rig.docker), "does not answer /version as Docker Engine does"));
		rig.engine->manner[FAKE_VERSION] = (struct fake_manner){0};
		WAIT_FOR(docker_is_up(rig.docker));
		assert_string_equal(docker_problem(rig.docker), "");
	}
}

/* ---- Slow and many ---- */

static void a_slow_engine_is_waited_for_as_long_as_set_and_is_still_up(void **state)
{
	(void)state;
	rig.conf->docker_timeout_ms = 30;
	rig.engine->manner[FAKE_LIST].hold = true;
	struct listing l = list_containers();
	assert_true(l.o.failed);
	assert_int_equal(l.o.err.code, ENOTCONN);
	assert_says(l.o.err, rig.conf->docker_socket);
	assert_true(docker_is_up(rig.docker));
	assert_int_equal(rig.downs, 0);
	rig.conf->docker_timeout_ms = 60000;
	rig.engine->manner[FAKE_LIST].hold = false;
	rig_barrier();
}

static void more_requests_than_connections_are_all_answered(void **state)
{
	struct outcome outcomes[100] = {0};

	(void)state;
	rig.engine->manner[FAKE_IMAGE].hold = true;
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		docker_check_image(rig.docker, "alpha-image", on_image, &outcomes[i]);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_IMAGE) == 16); /* one connection is the event stream's */
	assert_int_equal(rig.engine->connections, 17);
	rig.engine->manner[FAKE_IMAGE].hold = false;
	assert_int_equal(fake_docker_let_go(rig.engine, FAKE_IMAGE), 16);
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		WAIT_FOR(outcomes[i].calls > 0);
		assert_int_equal(outcomes[i].calls, 1);
		assert_false(outcomes[i].failed);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_rig_each, docker_rig_after_each)
	const struct CMUnitTest tests[] = {
		TEST(a_newer_engine_is_spoken_to_in_the_version_this_was_written_for),
		TEST(an_older_engine_is_spoken_to_in_its_own_version),
		TEST(an_engine_that_refuses_old_clients_is_spoken_to_in_the_oldest_version_it_takes),
		TEST(an_engine_that_does_not_say_its_oldest_version_is_fine),
		TEST(what_does_not_answer_as_docker_engine_does_is_not_up),
		TEST(a_slow_engine_is_waited_for_as_long_as_set_and_is_still_up),
		TEST(more_requests_than_connections_are_all_answered),
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
