#include "tests/unit/runtimes/engine/docker_rig.h"

void on_done(const struct err *err, void *arg)
{
	struct outcome *o = arg;

	o->calls++;
	o->failed = err != NULL;
	if (err != NULL)
		o->err = *err;
}

void on_image(const struct err *err, const char *id, void *arg)
{
	struct outcome *o = arg;

	snprintf(o->image_id, sizeof(o->image_id), "%s", id != NULL ? id : "");
	on_done(err, arg);
}

static void on_created(const struct err *err, const char *container_id, void *arg)
{
	struct outcome *o = arg;

	assert_int_equal(o->calls, 0);
	o->created_calls++;
	snprintf(o->container_id, sizeof(o->container_id), "%s", container_id ? container_id : "");
	o->create_failed = err != NULL;
	if (err != NULL)
		o->err = *err;
}

void finish(const struct outcome *o)
{
	assert_int_equal(o->calls, 0); /* never called from within the call */
	WAIT_FOR(o->calls > 0);
}

static void send_start(const char *driver, const char *id, struct outcome *o)
{
	struct docker_launch launch = {
		.sandbox_id = id,
		.driver = driver_find(driver),
		.image = "alpha-image",
		.command = rig.languages->command,
		.host_dir = "/nonexistent",
		.uid = 1,
		.memory_mb = 64,
		.cpu_millis = 1000,
		.tmp_mb = 1,
		.tmp_inodes = 100,
		.pids = 8,
		.nofile = 64,
	};

	rig.engine->boot = FAKE_BOOT_ABSENT;
	docker_start(rig.docker, &launch, on_created, on_done, o);
}

struct outcome start_on(const char *driver, const char *id)
{
	struct outcome o = {0};

	send_start(driver, id, &o);
	assert_int_equal(o.created_calls + o.calls, 0);
	WAIT_FOR(o.calls > 0 || o.create_failed);
	return o;
}

struct outcome start_container(const char *id)
{
	return start_on("docker", id);
}

struct outcome remove_one(const char *id)
{
	struct outcome o = {0};

	docker_remove(rig.docker, id, on_done, &o);
	finish(&o);
	return o;
}

struct outcome check_image(const char *image)
{
	struct outcome o = {0};

	docker_check_image(rig.docker, image, on_image, &o);
	finish(&o);
	return o;
}

static void on_listed(const char *sandbox_id, const char *container_id, bool running, void *arg)
{
	assert_true(strlen(container_id) == 64 || container_id[0] == '\0');
	struct listing *l = arg;

	assert_int_equal(l->o.calls, 0); /* done is called last */
	snprintf(l->ids[l->count++], sizeof(l->ids[0]), "%s", sandbox_id);
	l->running += running;
}

struct listing list_containers(void)
{
	struct listing l = {0};

	docker_list(rig.docker, on_listed, on_done, &l);
	finish(&l.o);
	return l;
}

void provoke_probe(void)
{
	int before = rig.engine->calls[FAKE_VERSION];

	rig.engine->manner[FAKE_IMAGE].raw = "this is no HTTP\r\n\r\n";
	assert_true(check_image("any").failed);
	rig.engine->manner[FAKE_IMAGE].raw = NULL;
	WAIT_FOR(rig.engine->calls[FAKE_VERSION] > before);
}

/* ---- The version of the API ---- */

void negotiate(const char *version)
{
	rig.engine->version = version;
	provoke_probe();
	WAIT_FOR(strcmp(docker_version(rig.docker), version) == 0);
}

int docker_rig_after_each(void **state)
{
	struct listing l;

	(void)state;
	assert_int_equal(rig.engine->unknown_calls, 0);
	fake_docker_reset(rig.engine);
	rig.conf->docker_timeout_ms = 60000;
	negotiate("after");
	l = list_containers();
	for (int i = 0; i < l.count; i++)
		remove_one(l.ids[i]);
	return 0;
}
