#include <errno.h>
#include <malloc.h>

#include "base/mem.h"
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

/* ---- Containers ---- */

static void a_container_is_created_and_then_started(void **state)
{
	struct outcome o = start_container(ID);

	(void)state;
	assert_int_equal(o.created_calls, 1);
	assert_false(o.create_failed);
	assert_int_equal(o.calls, 1);
	assert_false(o.failed);
	const struct fake_container *c = fake_docker_find(rig.engine, ID);
	assert_non_null(c);
	assert_string_equal(c->name, "berth-unit-" ID);
	assert_string_equal(c->state, "running");
	assert_string_equal(o.container_id, c->id);
	assert_string_equal(json_string_value(json_object_get(c->body, "Image")), "alpha-image");
}

static void a_creation_that_is_refused_is_told_in_dockers_words_and_nothing_is_started(void **state)
{
	(void)state;
	rig.engine->missing_image = "alpha-image";
	struct outcome o = start_container(ID);
	assert_true(o.create_failed);
	assert_int_equal(o.err.code, ENOENT);
	assert_says(o.err, "could not create the container: No such image: alpha-image (status 404)");
	rig_barrier();
	assert_int_equal(o.calls, 0);
	assert_int_equal(rig.engine->calls[FAKE_START], 0);
}

static void a_start_that_is_refused_is_told_in_dockers_words(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_START] =
		(struct fake_manner){.status = 500, .body = "{\"message\":\"OCI runtime create failed\"}"};
	struct outcome o = start_container(ID);
	assert_false(o.create_failed);
	assert_true(o.failed);
	assert_int_equal(o.err.code, EIO);
	assert_says(o.err, "could not start the container: OCI runtime create failed (status 500)");
}

static void an_image_that_declares_a_volume_is_refused_by_name_before_it_runs(void **state)
{
	(void)state;
	rig.engine->volume = "/var/lib/data";
	struct outcome o = start_container(ID);
	assert_true(o.create_failed); /* and there is a container to remove */
	assert_int_equal(o.calls, 0);
	assert_says(o.err, "alpha-image");
	assert_says(o.err, "/var/lib/data");
	assert_int_equal(rig.engine->calls[FAKE_START], 0);
	assert_false(remove_one(ID).failed);
	assert_non_null(strstr(rig.engine->last_path[FAKE_REMOVE], "v=true")); /* and its volume */
}

static void a_volume_at_tmp_is_one_only_where_it_was_asked_for(void **state)
{
	static const char bind[] = "{\"Mounts\":[{\"Type\":\"bind\",\"Destination\":\"/tmp\"}]}";

	(void)state;
	assert_false(start_on("gvisor", ID).failed);
	remove_one(ID);
	rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){.status = 200, .body = bind};
	assert_true(start_on("gvisor", ID).create_failed);
	rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){0};
	remove_one(ID);
	rig.engine->volume = "/tmp";
	assert_true(start_container(ID).create_failed);
	remove_one(ID);
	rig.engine->volume = "/var/tmp";
	assert_true(start_on("gvisor", ID).create_failed);
	remove_one(ID);
}

static void volumes_that_nobody_uses_are_removed_of_this_instance_only(void **state)
{
	struct outcome o = {0};

	(void)state;
	rig.engine->volumes = 2;
	docker_prune(rig.docker, on_done, &o);
	WAIT_FOR(o.calls == 2);
	assert_false(o.failed);
	assert_int_equal(rig.engine->volumes, 0);
	assert_non_null(strstr(rig.engine->last_path[FAKE_VOLUMES],
			       "filters={\"label\":[\"berth.instance=unit\"],\"dangling\":[\"true\"]}"));
}

static void a_volume_that_is_gone_or_used_or_of_another_kind_of_name_is_no_harm(void **state)
{
	struct outcome o = {0};

	(void)state;
	rig.engine->volumes = 1;
	rig.engine->manner[FAKE_VOLUME_REMOVE] =
		(struct fake_manner){.status = 404, .body = "{\"message\":\"no such volume\"}"};
	docker_prune(rig.docker, on_done, &o);
	finish(&o);
	assert_false(o.failed);
	rig.engine->manner[FAKE_VOLUME_REMOVE] = (struct fake_manner){.status = 409, .body = "{\"message\":\"in use\"}"};
	o = (struct outcome){0};
	docker_prune(rig.docker, on_done, &o);
	finish(&o);
	assert_says(o.err, "could not remove a volume: in use (status 409)");
	rig.engine->manner[FAKE_VOLUMES] = (struct fake_manner){.status = 500, .body = "{\"message\":\"no\"}"};
	o = (struct outcome){0};
	docker_prune(rig.docker, on_done, &o);
	finish(&o);
	assert_says(o.err, "could not list volumes: no (status 500)");

	static const char *const lists[] = {"", "[]", "{}", "{\"Volumes\":null}",
					    "{\"Volumes\":[7,{},{\"Name\":\"../x\"},{\"Name\":\"\"}]}"};
	rig.engine->calls[FAKE_VOLUME_REMOVE] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		rig.engine->manner[FAKE_VOLUMES] = (struct fake_manner){.status = 200, .body = lists[i]};
		docker_prune(rig.docker, on_done, &o);
		rig_barrier();
		rig_barrier();
	}
	assert_int_equal(rig.engine->calls[FAKE_VOLUME_REMOVE], 0);
	rig.engine->volumes = 0;
}

static void a_container_whose_mounts_are_not_told_is_not_started(void **state)
{
	static const char *const bodies[] = {"", "[]", "{}", "{\"Mounts\":{}}", "{\"Mounts\":[{}]}", "{\"Mounts\":[7]}"};
	char id[] = ID;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){.status = 200, .body = bodies[i]};
		id[0] = (char)('1' + i);
		assert_true(start_container(id).create_failed);
	}
	rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){.status = 500, .body = "{\"message\":\"busy\"}"};
	struct outcome o = start_container(ID);
	assert_true(o.create_failed);
	assert_says(o.err, "could not inspect the container: busy");
	assert_int_equal(rig.engine->calls[FAKE_START], 0);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		id[0] = (char)('1' + i);
		remove_one(id);
	}
	remove_one(ID);
}

static void a_container_that_runs_already_counts_as_started(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_START] = (struct fake_manner){.status = 304};
	assert_false(start_container(ID).failed);
}

static void a_refusal_without_a_reason_is_told_as_such(void **state)
{
	static const char *const bodies[] = {"", "<html>", "{}", "{\"message\":42}", "[\"message\"]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		rig.engine->manner[FAKE_CREATE] = (struct fake_manner){.status = 500, .body = bodies[i]};
		struct outcome o = start_container(ID);
		assert_true(o.create_failed);
		assert_says(o.err, "could not create the container: it gave no reason (status 500)");
	}
}

static void a_redirect_is_no_success(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_CREATE] = (struct fake_manner){.status = 301, .body = "{}"};
	assert_true(start_container(ID).create_failed);
}

static void a_running_container_is_killed_and_removed_with_its_volumes(void **state)
{
	(void)state;
	assert_false(start_container(ID).failed);
	assert_false(remove_one(ID).failed);
	assert_null(fake_docker_find(rig.engine, ID));
	assert_non_null(strstr(rig.engine->last_path[FAKE_REMOVE], "force=true"));
	assert_non_null(strstr(rig.engine->last_path[FAKE_REMOVE], "v=true"));
}

static void removing_a_container_that_is_not_there_is_a_success(void **state)
{
	(void)state;
	assert_false(remove_one(ID).failed);
}

static void a_removal_under_way_already_is_a_success(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_REMOVE] =
		(struct fake_manner){.status = 409, .body = "{\"message\":\"removal of container x is already in progress\"}"};
	assert_false(remove_one(ID).failed);
}

static void a_removal_that_fails_is_told_in_dockers_words(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){.status = 500, .body = "{\"message\":\"device busy\"}"};
	struct outcome o = remove_one(ID);
	assert_true(o.failed);
	assert_says(o.err, "could not remove the container: device busy (status 500)");
}

static void an_image_is_there_or_it_is_not(void **state)
{
	(void)state;
	struct outcome o = check_image("alpha-image");
	assert_false(o.failed);
	assert_string_equal(o.image_id, "sha256:0");
	rig.engine->missing_image = "alpha-image";
	o = check_image("alpha-image");
	assert_true(o.failed);
	assert_says(o.err, "No such image: alpha-image");
	rig.engine->missing_image = NULL;
	rig.engine->manner[FAKE_IMAGE] = (struct fake_manner){.status = 200, .body = "{\"Id\":7}"};
	o = check_image("alpha-image");
	assert_false(o.failed);
	assert_string_equal(o.image_id, "");
	rig.engine->manner[FAKE_IMAGE] = (struct fake_manner){0};
}

/* ---- How a container is ---- */

struct inspection {
	struct outcome o; /* first: like on_done's */
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

/* ---- Runtimes ---- */

/* The driver asks for what the engine offers at every sixth probe. */
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
	assert_false(offers("gvisor")); /* another runsc has other settings */
	rig.engine->runtimes = "{}";
	provoke_look();
	assert_false(offers("docker"));
	assert_true(docker_is_up(rig.docker)); /* all the same */
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
	assert_int_equal(rig.ups + rig.downs, 0); /* nobody had to be told */
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

		struct listing l = list_containers(); /* fails at once, not after a while */
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
	WAIT_FOR(rig.engine->calls[FAKE_VERSION] == before + 3);
	assert_true(clock_mono_us() - start_us >=
		    1400000 - 50000); /* 200, 400 and 800 ms; libuv's clock stands still in between */
	rig.engine->manner[FAKE_VERSION] = (struct fake_manner){0};
	WAIT_FOR(docker_is_up(rig.docker));
}

/* As one does that is told to stop: it goes on to serve the connections it has, and ends its containers. */
static void an_engine_that_takes_no_new_connection_is_down_at_once(void **state)
{
	(void)state;
	assert_false(check_image("any").failed); /* a connection that could be used again */
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
	rig.engine->manner[FAKE_VERSION] = SAYS("[{\"Name\":\"Engine\"}]"); /* it never said that there is one */
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
	rig.engine->manner[FAKE_VERSION] = SAYS("[]"); /* another engine */
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
}

static void doubts_do_not_hammer_the_engine(void **state)
{
	(void)state;
	docker_doubt(rig.docker);
	WAIT_FOR(rig.engine->calls[FAKE_VERSION] == 1);
	int64_t first_us = clock_mono_us();
	for (int i = 0; i < 100; i++) {
		docker_doubt(rig.docker);
		rig_turn();
	}
	WAIT_FOR(rig.engine->calls[FAKE_VERSION] == 2);
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
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_VERSION) == 0); /* its connection is closed */
	assert_int_equal(ups, 1);
	assert_int_equal(downs, 0);
}

/* ---- Events ---- */

static void emit_text(const char *text)
{
	fake_docker_emit(rig.engine, text, strlen(text));
}

static void the_end_of_a_container_is_told(void **state)
{
	(void)state;
	assert_false(start_container(ID).failed);
	fake_docker_die(rig.engine, ID, true);
	WAIT_FOR(rig.deaths > 0);
	assert_string_equal(rig.died, ID);
	assert_int_equal(rig.deaths, 1);
	assert_int_equal(rig.died_code, 137);
}

static void the_exit_code_is_told_when_the_event_has_one(void **state)
{
	static const struct {
		const char *said;
		int told;
	} codes[] = {{"0", 0},  {"1", 1},   {"255", 255}, {NULL, -1},  {"", -1},
		     {"x", -1}, {"1x", -1}, {"-1", -1},   {"256", -1}, {"99999999999999999999", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, codes[i].said);
		AUTO(mem_free) char *line = mem_printf("%s\n", event);
		fake_docker_emit(rig.engine, line, strlen(line));
		WAIT_FOR(rig.deaths == (int)i + 1);
		assert_int_equal(rig.died_code, codes[i].told);
	}
}

static void a_signal_to_a_container_is_told_and_is_no_death(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, NULL);

	(void)state;
	memcpy(strstr(event, "\"die\""), "\"kill", 5);
	AUTO(mem_free)
	char *line = mem_printf("%.*s\"%s\n", (int)(strstr(event, "\"kill") + 5 - event), event, strstr(event, "\"kill") + 5);
	fake_docker_emit(rig.engine, line, strlen(line));
	WAIT_FOR(rig.signals == 1);
	assert_string_equal(rig.died, ID);
	assert_int_equal(rig.deaths, 0);
}

static void only_ends_of_this_instances_containers_are_asked_for(void **state)
{
	fake_docker_end_events(rig.engine);

	(void)state;
	WAIT_FOR(rig.engine->calls[FAKE_EVENTS] > 0);
	const char *path = rig.engine->last_path[FAKE_EVENTS];
	assert_non_null(strstr(path, "\"label\":[\"berth.instance=unit\"]"));
	assert_non_null(strstr(path, "\"type\":[\"container\"]"));
	assert_non_null(strstr(path, "\"event\":[\"die\",\"kill\"]"));
}

static void an_event_may_come_in_any_pieces(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, "137");
	size_t len = strlen(event);

	(void)state;
	for (size_t i = 0; i < len; i++)
		fake_docker_emit(rig.engine, event + i, 1);
	rig_barrier();
	assert_int_equal(rig.deaths, 0);
	emit_text("\n");
	WAIT_FOR(rig.deaths == 1);
	assert_string_equal(rig.died, ID);

	/* The end of one and the start of the next in one piece. */
	AUTO(mem_free) char *pieces = mem_printf("%s\n%s\n%.20s", event, event, event);
	emit_text(pieces);
	WAIT_FOR(rig.deaths == 3);
	emit_text(event + 20);
	emit_text("\r\n");
	WAIT_FOR(rig.deaths == 4);
}

static void lines_that_are_no_events_of_ours_are_passed_over(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, "137");

	(void)state;
	emit_text("\n\n{}\ngarbage\n[1]\n{\"Actor\":7}\n{\"Actor\":{\"Attributes\":{\"berth.sandbox\":false}}}\n\xff\n");
	emit_text(event);
	emit_text("\n");
	WAIT_FOR(rig.deaths > 0);
	assert_int_equal(rig.deaths, 1);
	assert_string_equal(rig.died, ID);
}

/* Bytes; as good as none are counted under a sanitizer. */
static size_t allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void a_line_without_end_is_dropped_and_the_next_one_heard(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, "137");
	char piece[4096];

	(void)state;
	memset(piece, 'x', sizeof(piece));
	size_t before = allocated();
	for (int i = 0; i < 1000; i++) {
		fake_docker_emit(rig.engine, piece, sizeof(piece));
		rig_turn();
	}
	rig_barrier();
	assert_in_range(allocated(), 0, before + 1000000);
	emit_text("\n");
	emit_text(event);
	emit_text("\n");
	WAIT_FOR(rig.deaths == 1);
}

static void an_event_stream_that_ended_is_opened_again_and_the_owner_told_to_compare(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, "137");

	(void)state;
	emit_text("{\"half\":"); /* forgotten with its stream */
	rig_barrier();
	fake_docker_end_events(rig.engine);
	WAIT_FOR(fake_docker_streams(rig.engine) == 1);
	WAIT_FOR(rig.ups == 1);
	assert_int_equal(rig.downs, 0);
	emit_text(event);
	emit_text("\n");
	WAIT_FOR(rig.deaths == 1);
}

static void an_engine_that_refuses_events_is_not_hammered(void **state)
{
	int64_t start_us = clock_mono_us();

	(void)state;
	rig.engine->manner[FAKE_EVENTS] = (struct fake_manner){.status = 500, .body = "{\"message\":\"no events here\"}"};
	fake_docker_end_events(rig.engine);
	WAIT_FOR(rig.engine->calls[FAKE_EVENTS] == 3);
	assert_true(clock_mono_us() - start_us > 1000000);
	assert_true(docker_is_up(rig.docker));
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
		TEST(a_container_is_created_and_then_started),
		TEST(a_creation_that_is_refused_is_told_in_dockers_words_and_nothing_is_started),
		TEST(a_start_that_is_refused_is_told_in_dockers_words),
		TEST(an_image_that_declares_a_volume_is_refused_by_name_before_it_runs),
		TEST(a_volume_at_tmp_is_one_only_where_it_was_asked_for),
		TEST(volumes_that_nobody_uses_are_removed_of_this_instance_only),
		TEST(a_volume_that_is_gone_or_used_or_of_another_kind_of_name_is_no_harm),
		TEST(a_container_whose_mounts_are_not_told_is_not_started),
		TEST(a_container_that_runs_already_counts_as_started),
		TEST(a_refusal_without_a_reason_is_told_as_such),
		TEST(a_redirect_is_no_success),
		TEST(a_running_container_is_killed_and_removed_with_its_volumes),
		TEST(removing_a_container_that_is_not_there_is_a_success),
		TEST(a_removal_under_way_already_is_a_success),
		TEST(a_removal_that_fails_is_told_in_dockers_words),
		TEST(an_image_is_there_or_it_is_not),
		TEST(a_container_that_runs_is_told_with_its_id_and_its_first_process),
		TEST(a_container_that_ended_is_told_with_its_exit_code_and_whether_memory_ran_out),
		TEST(a_container_that_is_not_there_is_told_as_such),
		TEST(an_engine_that_cannot_say_how_a_container_is_is_told_in_its_words),
		TEST(an_answer_that_does_not_say_whether_a_container_runs_is_no_answer),
		TEST(what_an_answer_says_in_the_wrong_type_counts_as_not_said),
		TEST(an_engine_offers_what_it_lists_and_nothing_else),
		TEST(what_it_offers_is_not_asked_at_every_probe),
		TEST(a_runtime_registered_while_the_engine_runs_is_offered_once_it_was_asked_again),
		TEST(a_restarted_engine_is_asked_at_once_what_it_offers),
		TEST(what_does_not_say_its_runtimes_as_docker_engine_does_is_not_up),
		TEST(a_list_of_runtimes_without_bounds_is_given_up),
		TEST(an_engine_that_is_slow_to_say_its_runtimes_is_not_up_before_and_is_up_once_it_has),
		TEST(what_an_engine_that_goes_while_it_is_asked_had_offered_is_asked_anew),
		TEST(the_list_has_all_containers_of_this_instance_and_no_others),
		TEST(entries_that_are_no_containers_of_ours_are_passed_over),
		TEST(a_list_that_is_no_list_is_an_error),
		TEST(an_answer_cut_short_is_no_answer),
		TEST(an_answer_without_bounds_is_given_up),
		TEST(a_slow_engine_is_waited_for_as_long_as_set_and_is_still_up),
		TEST(more_requests_than_connections_are_all_answered),
		TEST(going_and_coming_are_told_once_each),
		TEST(one_probe_that_fails_is_no_outage),
		TEST(an_engine_that_is_down_is_asked_after_twice_as_long_each_time),
		TEST(an_engine_that_takes_no_new_connection_is_down_at_once),
		TEST(an_engine_without_the_containerd_it_had_is_down_until_that_is_back),
		TEST(doubts_do_not_hammer_the_engine),
		TEST(an_engine_that_recovers_without_dropping_the_event_stream_is_told_up),
		TEST(an_engine_that_was_never_there_is_unknown_then_down),
		TEST(freeing_the_driver_drops_its_probe_and_its_event_stream),
		TEST(the_end_of_a_container_is_told),
		TEST(the_exit_code_is_told_when_the_event_has_one),
		TEST(a_signal_to_a_container_is_told_and_is_no_death),
		TEST(only_ends_of_this_instances_containers_are_asked_for),
		TEST(an_event_may_come_in_any_pieces),
		TEST(lines_that_are_no_events_of_ours_are_passed_over),
		TEST(a_line_without_end_is_dropped_and_the_next_one_heard),
		TEST(an_event_stream_that_ended_is_opened_again_and_the_owner_told_to_compare),
		TEST(an_engine_that_refuses_events_is_not_hammered),
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
