#include "tests/unit/poolmgr/sandbox_rig.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/sandbox/stray.h"

/* How far the clock is ahead of the kernel's. */
static int64_t clock_ahead_us;

int64_t __real_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void);

int64_t __wrap_clock_mono_us(void)
{
	return __real_clock_mono_us() + clock_ahead_us;
}

static void make_directory(const char *id)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s", rig.dir, id);
	AUTO(mem_free) char *file = mem_printf("%s/file", path);

	assert_int_equal(mkdir(path, 0755), 0);
	unit_write_file(file, "left");
}

static void a_stray_container_goes_with_its_directory(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
	make_directory("aaaaaaaaaaaaaaaa");
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(fake_docker_count(rig.engine) == 0 && !rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
}

/* Docker cannot kill what is frozen. */
static void a_stray_that_runs_is_killed_through_its_cgroup_before_docker_is_asked_to_remove_it(void **state)
{
	(void)state;
	fake_warden_start();
	for (uint8_t v = 1; v <= 2; v++) {
		AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
		const struct fake_container *container = fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
		make_directory("aaaaaaaaaaaaaaaa");
		rig.engine->calls[FAKE_REMOVE] = 0;
		stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
		struct opening q = fake_warden_next_open();
		assert_string_equal(q.container, container->id);
		assert_int_equal(q.pid, FAKE_PID);
		rig_barrier();
		assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
		fake_warden_give(q.seq, v, &c);
		WAIT_FOR(rig.engine->calls[FAKE_REMOVE] == 1);
		if (v == 1) {
			assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
			struct ipc_msg m = fake_warden_next(IPC_CGROUP_KILL);
			ipc_close_fds(&m);
		} else {
			assert_string_equal(fake_cgroup_written(&c, CGROUP_KILL), "1");
		}
		WAIT_FOR(fake_docker_count(rig.engine) == 0 && !rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
		WAIT_FOR(stray_count() == 0);
	}
}

static void a_stray_whose_cgroup_is_not_there_is_removed_all_the_same(void **state)
{
	(void)state;
	fake_warden_start();
	for (int silent = 0; silent < 2; silent++) {
		fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
		stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
		struct opening q = fake_warden_next_open();
		if (silent)
			tick(clock_mono_us() + 2000000);
		else
			fake_warden_refuse(q.seq, "not there");
		WAIT_FOR(fake_docker_count(rig.engine) == 0 && stray_count() == 0);
	}
}

static void the_warden_is_not_asked_for_a_stray_that_does_not_run(void **state)
{
	static const struct fake_manner manners[] = {
		{0},
		{.status = 500, .body = "{}"},
		{.status = 200, .body = "{\"State\":{\"Running\":true,\"Pid\":\"7\"}}"},
	};

	(void)state;
	fake_warden_start();
	for (size_t i = 0; i < ARRAY_SIZE(manners); i++) {
		fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", i == 0 ? "exited" : "running");
		rig.engine->manner[FAKE_INSPECT] = manners[i];
		stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
		WAIT_FOR(fake_docker_count(rig.engine) == 0 && stray_count() == 0);
	}
	assert_false(fake_warden_is_asked());
}

static void a_stray_that_is_being_removed_is_not_removed_twice(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
	make_directory("aaaaaaaaaaaaaaaa");
	rig.engine->manner[FAKE_REMOVE].hold = true;
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_REMOVE) == 1);
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 1);
	fake_docker_let_go(rig.engine, FAKE_REMOVE);
	WAIT_FOR(!rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
}

static void the_directory_of_a_stray_stays_as_long_as_its_container_cannot_be_removed(void **state)
{
	(void)state;
	make_directory("bbbbbbbbbbbbbbbb");
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){.status = 500, .body = "{}"};
	stray_remove("bbbbbbbbbbbbbbbb", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(rig.engine->calls[FAKE_REMOVE] == 1);
	rig_barrier();
	assert_true(rig_exists("sandboxes/bbbbbbbbbbbbbbbb"));
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){0};
	stray_remove("bbbbbbbbbbbbbbbb", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(!rig_exists("sandboxes/bbbbbbbbbbbbbbbb"));
}

static void only_ids_of_sandboxes_are_removed_as_strays(void **state)
{
	static const char *const ids[] = {
		"", "..", "../../etc", "AAAAAAAAAAAAAAAA", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa", "aaaaaaa/aaaaaaaa"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		stray_remove(ids[i], COUNT_DRIFT_CONTAINER);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
}

static void a_sandbox_of_ours_is_no_stray(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_LEASED);
	stray_remove(s->id, COUNT_DRIFT_CONTAINER);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	assert_false(s->dead);
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

static bool keep_c(const char *id)
{
	return strcmp(id, "cccccccccccccccc") == 0;
}

static void the_sweep_removes_directories_nobody_wants_kept(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_SPARE);
	make_directory("cccccccccccccccc");
	make_directory("dddddddddddddddd");
	make_directory("lost+found");
	stray_sweep_directories(keep_c);
	WAIT_FOR(!rig_exists("sandboxes/dddddddddddddddd"));
	rig_barrier();
	assert_true(rig_exists("sandboxes/cccccccccccccccc"));
	assert_true(rig_exists("sandboxes/lost+found"));
	assert_true(rig_exists("sandboxes/%s/berth/function", s->id));
	assert_int_equal(s->state, SANDBOX_SPARE);
	sandbox_kill(s, COUNT_KILL_USED_UP);
	stray_remove("cccccccccccccccc", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(!rig_exists("sandboxes/cccccccccccccccc"));
	AUTO(mem_free) char *rest = mem_printf("%s/sandboxes/lost+found", rig.dir);
	unit_remove_dir(&rest);
}

/* As a lock of the container's own function, or of a poolmgr: whose it is cannot be seen. */
static int locked(const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s", rig.dir, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	return fd;
}

static void make_below(const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s", rig.dir, name);

	assert_int_equal(mkdir(path, 0755), 0);
}

static void what_a_function_locks_belongs_to_nobody_for_that(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
	make_directory("aaaaaaaaaaaaaaaa");
	make_below("aaaaaaaaaaaaaaaa/" DIRECTORY_MOUNTED);
	make_below("aaaaaaaaaaaaaaaa/" DIRECTORY_FUNCTION);
	AUTO(fd_close) int mounted = locked("aaaaaaaaaaaaaaaa/" DIRECTORY_MOUNTED);
	AUTO(fd_close) int function = locked("aaaaaaaaaaaaaaaa/" DIRECTORY_FUNCTION);
	assert_false(directory_is_owned("aaaaaaaaaaaaaaaa"));
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(fake_docker_count(rig.engine) == 0 && !rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
}

/* Which cannot be told from a function of its that has locked its own directory: so not for ever. */
static void what_a_poolmgr_of_an_earlier_version_has_is_left_alone_for_as_long_as_it_may_last(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
	make_directory("aaaaaaaaaaaaaaaa");
	make_below("aaaaaaaaaaaaaaaa/function");
	AUTO(fd_close) int theirs = locked("aaaaaaaaaaaaaaaa");
	clock_ahead_us = INT64_C(3500000000);
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	assert_int_equal(stray_count(), 0);
	clock_ahead_us = INT64_C(3700000000);
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	clock_ahead_us = 0;
	assert_int_equal(stray_count(), 1);
	WAIT_FOR(fake_docker_count(rig.engine) == 0 && !rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
}

/* One of this version has it, for ever if need be. */
static void what_a_poolmgr_has_is_left_alone(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
	make_directory("aaaaaaaaaaaaaaaa");
	make_below("aaaaaaaaaaaaaaaa/" DIRECTORY_MOUNTED);
	int theirs = locked("aaaaaaaaaaaaaaaa");
	clock_ahead_us = INT64_C(3700000000);
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	clock_ahead_us = 0;
	assert_int_equal(stray_count(), 0);
	fd_close(&theirs);
	stray_remove("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(fake_docker_count(rig.engine) == 0 && !rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SANDBOX_TEST(a_stray_container_goes_with_its_directory),
		SANDBOX_TEST(a_stray_that_runs_is_killed_through_its_cgroup_before_docker_is_asked_to_remove_it),
		SANDBOX_TEST(a_stray_whose_cgroup_is_not_there_is_removed_all_the_same),
		SANDBOX_TEST(the_warden_is_not_asked_for_a_stray_that_does_not_run),
		SANDBOX_TEST(a_stray_that_is_being_removed_is_not_removed_twice),
		SANDBOX_TEST(the_directory_of_a_stray_stays_as_long_as_its_container_cannot_be_removed),
		SANDBOX_TEST(only_ids_of_sandboxes_are_removed_as_strays),
		SANDBOX_TEST(a_sandbox_of_ours_is_no_stray),
		SANDBOX_TEST(the_sweep_removes_directories_nobody_wants_kept),
		SANDBOX_TEST(what_a_function_locks_belongs_to_nobody_for_that),
		SANDBOX_TEST(what_a_poolmgr_of_an_earlier_version_has_is_left_alone_for_as_long_as_it_may_last),
		SANDBOX_TEST(what_a_poolmgr_has_is_left_alone),
	};

	return cmocka_run_group_tests(tests, sandbox_rig_set_up, engine_rig_tear_down);
}
