#include "master/resources/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

/* A service manager at path, whose first character @ stands for the abstract name space. */
static int manager_at(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
			 0);
	return fd;
}

static void is_told_ready(const char *path)
{
	AUTO(fd_close) int manager = manager_at(path);
	char text[100] = "";
	struct err err;

	setenv("NOTIFY_SOCKET", path, 1);
	notify_init();
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_ok(notify_send("READY=1", &err));
	assert_int_equal(recv(manager, text, sizeof(text), 0), 7);
	assert_string_equal(text, "READY=1");
}

static void the_service_manager_is_told(void **state)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	AUTO(mem_free) char *path = mem_printf("%s/notify", dir);
	AUTO(mem_free) char *abstract = mem_printf("@berth-unit-%d", (int)getpid());

	(void)state;
	is_told_ready(path);
	is_told_ready(abstract);
}

static void the_next_program_finds_the_service_manager_as_this_one_did(void **state)
{
	static const char *const paths[] = {"/run/somewhere/notify", "@an/abstract/one"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		setenv("NOTIFY_SOCKET", paths[i], 1);
		notify_init();
		notify_pass_on();
		assert_string_equal(getenv("NOTIFY_SOCKET"), paths[i]);
	}
	unsetenv("NOTIFY_SOCKET");
	notify_init();
	notify_pass_on();
	assert_null(getenv("NOTIFY_SOCKET"));
}

static void without_a_service_manager_nothing_happens(void **state)
{
	struct err err;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_init();
	assert_ok(notify_send("READY=1", &err));
	setenv("NOTIFY_SOCKET", "not/a/path", 1);
	notify_init();
	assert_ok(notify_send("READY=1", &err));
}

static void a_service_manager_that_is_gone_is_an_error(void **state)
{
	struct err err;

	(void)state;
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	notify_init();
	assert_fails(notify_send("READY=1", &err), "tell the service manager READY=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_service_manager_is_told),
		cmocka_unit_test(the_next_program_finds_the_service_manager_as_this_one_did),
		cmocka_unit_test(without_a_service_manager_nothing_happens),
		cmocka_unit_test(a_service_manager_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
