/* Creating, starting and removing containers, with their images and volumes. */
#include <errno.h>

#include "tests/unit/runtimes/engine/docker_rig.h"

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
	assert_true(o.create_failed); /* but there is a container to remove */
	assert_int_equal(o.calls, 0);
	assert_says(o.err, "alpha-image");
	assert_says(o.err, "/var/lib/data");
	assert_int_equal(rig.engine->calls[FAKE_START], 0);
	assert_false(remove_one(ID).failed);
	assert_non_null(strstr(rig.engine->last_path[FAKE_REMOVE], "v=true")); /* the volume is removed too */
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_rig_each, docker_rig_after_each)
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
