/* What waits in the backlogs of sockets, as the kernel of this machine says it. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/backlog.h"

static struct {
	char *dir;
	int lanes[2], other;
	int clients[8], client_count;
} f;

static int listen_at(const char *name)
{
	AUTO(fd_close) int dir_fd = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	int fd = fd_listen_unix(dir_fd, name, SOCK_STREAM, 0600, 16, &err);
	assert_true(fd >= 0);
	return fd;
}

static void connect_to(const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", f.dir, name);
	struct err err;

	f.clients[f.client_count] = fd_connect_unix(path, SOCK_STREAM, &err);
	assert_true(f.clients[f.client_count++] >= 0);
}

static void assert_backlog(int lanes, int waiting, int longest)
{
	struct backlog b;
	struct err err = {0};

	assert_ok(backlog_read(f.dir, 32, &b, &err));
	assert_int_equal(b.lanes, lanes);
	assert_int_equal(b.waiting, waiting);
	assert_int_equal(b.longest, longest);
}

static void what_nobody_has_accepted_waits(void **state)
{
	(void)state;
	assert_backlog(2, 0, 0);
	connect_to("invoke-0.sock");
	connect_to("invoke-1.sock");
	connect_to("invoke-1.sock");
	connect_to("control.sock"); /* is no lane */
	assert_backlog(2, 3, 2);
	AUTO(fd_close) int accepted = accept4(f.lanes[1], NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	assert_backlog(2, 2, 1);
}

static void a_lane_that_nobody_listens_at_is_not_counted(void **state)
{
	(void)state;
	connect_to("invoke-1.sock");
	fd_close(&f.lanes[0]);
	assert_backlog(1, 1, 1);
	fd_close(&f.lanes[1]);
	assert_backlog(0, 0, 0);
}

static void a_directory_without_lanes_is_no_error(void **state)
{
	struct backlog b;
	struct err err = {0};

	(void)state;
	assert_ok(backlog_read("/nonexistent", 32, &b, &err));
	assert_int_equal(b.lanes, 0);
}

static int set_up(void **state)
{
	(void)state;
	f.dir = unit_make_dir();
	f.lanes[0] = listen_at("invoke-0.sock");
	f.lanes[1] = listen_at("invoke-1.sock");
	f.other = listen_at("control.sock");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (f.client_count > 0)
		fd_close(&f.clients[--f.client_count]);
	fd_close(&f.lanes[0]);
	fd_close(&f.lanes[1]);
	fd_close(&f.other);
	unit_remove_dir(&f.dir);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_nobody_has_accepted_waits),
		TEST(a_lane_that_nobody_listens_at_is_not_counted),
		TEST(a_directory_without_lanes_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
