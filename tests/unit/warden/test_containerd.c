/* The shim of a container that Docker has lost is ended when it is one of ours, and nothing else ever is. */
#include "warden/containerd.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "tests/support/fake_shim.h"
#include "tests/unit/unit.h"

#define ID       "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER_ID "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct fixture {
	char *dir, *state, *sandboxes, *sandbox;
	pid_t shim;
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->dir = unit_make_dir();
	f->state = mem_printf("%s/containerd", f->dir);
	f->sandboxes = mem_printf("%s/sandboxes", f->dir);
	f->sandbox = mem_printf("%s/one", f->sandboxes);
	f->shim = fake_shim_start(f->dir, ID);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->shim > 0)
		fake_shim_end(f->shim);
	unit_remove_dir(&f->dir);
	mem_free(&f->state);
	mem_free(&f->sandboxes);
	mem_free(&f->sandbox);
	mem_free(&f);
	return 0;
}

static int end(struct fixture *f, const char *container, pid_t pid, struct err *err)
{
	return containerd_end_shim(&(struct warden_mounts){0}, container, pid, f->sandboxes, err);
}

static void the_shim_of_a_sandbox_of_ours_is_ended(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};
	int status;

	fake_shim_make_bundle(f->state, ID, f->sandbox, "/berth");
	assert_ok(end(f, ID, f->shim, &err));
	assert_int_equal(waitpid(f->shim, &status, 0), f->shim);
	f->shim = 0;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void the_shim_of_somebody_elses_container_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	fake_shim_make_bundle(f->state, ID, "/var/lib/somebody/else", "/berth");
	assert_fails(end(f, ID, f->shim, &err), "is no sandbox in");
	assert_true(fake_shim_is_alive(f->shim));
}

static void a_container_without_a_bundle_is_none_of_ours(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	assert_fails(end(f, ID, f->shim, &err), "is no sandbox in");
	assert_true(fake_shim_is_alive(f->shim));
}

static void the_shim_of_another_container_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	fake_shim_make_bundle(f->state, ID, f->sandbox, "/berth");
	assert_fails(end(f, OTHER_ID, f->shim, &err), "is not the shim of container ff1122334455");
	assert_true(fake_shim_is_alive(f->shim));
}

static void a_process_that_is_no_shim_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	fake_shim_make_bundle(f->state, ID, f->sandbox, "/berth");
	assert_fails(end(f, ID, getpid(), &err), "is not the shim of container");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_shim_of_a_sandbox_of_ours_is_ended),       TEST(the_shim_of_somebody_elses_container_is_left_alone),
		TEST(a_container_without_a_bundle_is_none_of_ours), TEST(the_shim_of_another_container_is_left_alone),
		TEST(a_process_that_is_no_shim_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
