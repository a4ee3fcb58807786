/* The runtimes that Docker Engine offers. */
#include "base/mem.h"
#include "tests/unit/runtimes/engine/docker_rig.h"

/* ---- Runtimes ---- */

/* The driver asks for the engine's runtimes at every sixth probe. */
static void provoke_look(void)
{
	int before = rig.engine->calls[FAKE_INFO];

	for (int i = 0; i < 6 && rig.engine->calls[FAKE_INFO] == before; i++) {
		provoke_probe();
		rig_barrier();
		rig_turn();
	}
	WAIT_FOR(rig.engine->calls[FAKE_INFO] > before);
	rig_barrier();
}

static bool offers(const char *name)
{
	return docker_offers(rig.docker, driver_find(name)->engine_runtime);
}

static void an_engine_offers_what_it_lists_and_nothing_else(void **state)
{
	(void)state;
	provoke_look();
	assert_true(offers("docker"));
	assert_true(offers("gvisor"));
	rig.engine->runtimes = "{\"runc\":{\"path\":\"runc\"},\"runsc\":{\"path\":\"runsc\"}}";
	provoke_look();
	assert_true(offers("docker"));
	assert_false(offers("gvisor")); /* a runsc with a different name has different settings */
	rig.engine->runtimes = "{}";
	provoke_look();
	assert_false(offers("docker"));
	assert_true(docker_is_up(rig.docker)); /* the engine is up nevertheless */
}

static void what_it_offers_is_not_asked_at_every_probe(void **state)
{
	(void)state;
	provoke_look();
	int before = rig.engine->calls[FAKE_INFO];
	for (int i = 0; i < 3; i++) {
		provoke_probe();
		rig_barrier();
		rig_turn();
	}
	assert_int_equal(rig.engine->calls[FAKE_INFO], before);
}

static void a_runtime_registered_while_the_engine_runs_is_offered_once_it_was_asked_again(void **state)
{
	(void)state;
	rig.engine->runtimes = "{\"runc\":{}}";
	provoke_look();
	assert_false(offers("gvisor"));
	rig.engine->runtimes = "{\"runc\":{},\"berth-runsc\":{}}";
	provoke_look();
	assert_true(offers("gvisor"));
	assert_int_equal(rig.ups + rig.downs, 0); /* no hook was called */
}

static void a_restarted_engine_is_asked_at_once_what_it_offers(void **state)
{
	(void)state;
	rig.engine->runtimes = "{\"runc\":{}}";
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
	assert_false(offers("gvisor"));
}

static void what_does_not_say_its_runtimes_as_docker_engine_does_is_not_up(void **state)
{
	static const struct {
		int status;
		const char *body;
	} answers[] = {{404, "{\"message\":\"page not found\"}"},
		       {500, "{\"Runtimes\":{\"runc\":{}}}"},
		       {200, ""},
		       {200, "<html>"},
		       {200, "[]"},
		       {200, "{}"},
		       {200, "{\"Runtimes\":null}"},
		       {200, "{\"Runtimes\":[\"runc\"]}"},
		       {200, "{\"Runtimes\":\"runc\"}"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		rig.engine->manner[FAKE_INFO] = (struct fake_manner){.status = answers[i].status, .body = answers[i].body};
		fake_docker_stop(rig.engine);
		WAIT_FOR(!docker_is_up(rig.docker));
		int before = rig.engine->calls[FAKE_INFO];
		fake_docker_start(rig.engine);
		WAIT_FOR(rig.engine->calls[FAKE_INFO] >= before + 2);
		assert_false(docker_is_up(rig.docker));
		assert_non_null(strstr(docker_problem(rig.docker), "does not answer /info as Docker Engine does"));
		rig.engine->manner[FAKE_INFO] = (struct fake_manner){0};
		WAIT_FOR(docker_is_up(rig.docker));
		assert_string_equal(docker_problem(rig.docker), "");
	}
}

static void a_list_of_runtimes_without_bounds_is_given_up(void **state)
{
	size_t len = (32u << 20) + 1;
	char *body = mem_alloc(len + 1);

	(void)state;
	memset(body, ' ', len);
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	rig.engine->manner[FAKE_INFO] = (struct fake_manner){.status = 200, .body = body};
	fake_docker_start(rig.engine);
	WAIT_FOR(rig.engine->calls[FAKE_INFO] == 1);
	WAIT_FOR(rig.engine->calls[FAKE_INFO] == 2);
	assert_false(docker_is_up(rig.docker));
	rig.engine->manner[FAKE_INFO] = (struct fake_manner){0};
	WAIT_FOR(docker_is_up(rig.docker));
	free(body);
}

static void an_engine_that_is_slow_to_say_its_runtimes_is_not_up_before_and_is_up_once_it_has(void **state)
{
	(void)state;
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	rig.engine->manner[FAKE_INFO].hold = true;
	fake_docker_start(rig.engine);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_INFO) == 1);
	assert_false(docker_is_up(rig.docker));
	rig.engine->manner[FAKE_INFO].hold = false;
	fake_docker_let_go(rig.engine, FAKE_INFO);
	WAIT_FOR(docker_is_up(rig.docker));
}

static void what_an_engine_that_goes_while_it_is_asked_had_offered_is_asked_anew(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_INFO].raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Runtimes\":{";
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	fake_docker_start(rig.engine);
	WAIT_FOR(rig.engine->calls[FAKE_INFO] == 2);
	assert_false(docker_is_up(rig.docker));
	rig.engine->manner[FAKE_INFO].raw = NULL;
	WAIT_FOR(docker_is_up(rig.docker));
	assert_true(offers("gvisor"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_rig_each, docker_rig_after_each)
	const struct CMUnitTest tests[] = {
		TEST(an_engine_offers_what_it_lists_and_nothing_else),
		TEST(what_it_offers_is_not_asked_at_every_probe),
		TEST(a_runtime_registered_while_the_engine_runs_is_offered_once_it_was_asked_again),
		TEST(a_restarted_engine_is_asked_at_once_what_it_offers),
		TEST(what_does_not_say_its_runtimes_as_docker_engine_does_is_not_up),
		TEST(a_list_of_runtimes_without_bounds_is_given_up),
		TEST(an_engine_that_is_slow_to_say_its_runtimes_is_not_up_before_and_is_up_once_it_has),
		TEST(what_an_engine_that_goes_while_it_is_asked_had_offered_is_asked_anew),
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
