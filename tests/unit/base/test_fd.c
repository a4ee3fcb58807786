#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tests/unit/unit.h"

static bool has_flag(int fd, int get, int flag)
{
	return (fcntl(fd, get) & flag) != 0;
}

static void closing_sets_minus_one_and_can_be_repeated(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	fd_close(&fd);
	assert_int_equal(fd, -1);
}

static void flags_are_set_and_cleared(void **state)
{
	AUTO(fd_close) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct err err;

	(void)state;
	assert_ok(fd_set_cloexec(fd, false, &err));
	assert_false(has_flag(fd, F_GETFD, FD_CLOEXEC));
	assert_ok(fd_set_cloexec(fd, true, &err));
	assert_true(has_flag(fd, F_GETFD, FD_CLOEXEC));
	assert_ok(fd_set_nonblock(fd, true, &err));
	assert_true(has_flag(fd, F_GETFL, O_NONBLOCK));
	assert_ok(fd_set_nonblock(fd, false, &err));
	assert_false(has_flag(fd, F_GETFL, O_NONBLOCK));
	assert_fails(fd_set_nonblock(-1, true, &err), "Bad file descriptor");
}

static void a_file_is_read_whole(void **state)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	AUTO(mem_free) char *path = mem_printf("%s/file", dir);
	struct err err;

	(void)state;
	for (int size = 0; size < 20000; size += 4095) {
		AUTO(mem_free) char *text = mem_alloc((size_t)size + 1);
		AUTO(mem_free) char *got = NULL;
		size_t len = 0;
		memset(text, 'x', (size_t)size);
		unit_write_file(path, text);
		assert_ok(fd_read_file(path, 20000, &got, &len, &err));
		assert_int_equal(len, size);
		assert_string_equal(got, text);
	}
}

static void a_file_over_the_limit_is_refused(void **state)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	AUTO(mem_free) char *path = mem_printf("%s/file", dir);
	char *text = NULL;
	struct err err;

	(void)state;
	unit_write_file(path, "12345");
	assert_fails(fd_read_file(path, 4, &text, NULL, &err), "limit 4 bytes");
	assert_null(text);
	assert_ok(fd_read_file(path, 5, &text, NULL, &err));
	free(text);
	assert_fails(fd_read_file("/nonexistent", 4, &text, NULL, &err), "No such file");
	assert_fails(fd_read_file(dir, 4, &text, NULL, &err), "Is a directory");
}

static void everything_is_written_through_a_small_pipe(void **state)
{
	struct err err;
	int ends[2];
	size_t total = 0;
	static char data[300000];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	if (fork() == 0)
		_exit(fd_write_all(ends[1], data, sizeof(data), &err) == 0 ? 0 : 1);
	fd_close(&ends[1]);
	for (ssize_t n; (n = read(ends[0], data, sizeof(data))) > 0;)
		total += (size_t)n;
	fd_close(&ends[0]);
	assert_int_equal(total, sizeof(data));
}

static void a_socket_is_found_by_its_path_and_left_over_ones_are_replaced(void **state)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	AUTO(mem_free) char *path = mem_printf("%s/s.sock", dir);
	AUTO(fd_close) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	struct err err;

	(void)state;
	for (int round = 0; round < 2; round++) {
		AUTO(fd_close) int listener = fd_listen_unix(dir_fd, "s.sock", SOCK_STREAM | SOCK_NONBLOCK, 0620, 4, &err);
		assert_ok(listener);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0620);
		assert_true(has_flag(listener, F_GETFD, FD_CLOEXEC));
		AUTO(fd_close) int client = fd_connect_unix(path, SOCK_STREAM, &err);
		assert_ok(client);
		assert_true(has_flag(client, F_GETFD, FD_CLOEXEC));
		assert_false(has_flag(client, F_GETFL, O_NONBLOCK));
		AUTO(fd_close) int server = accept(listener, NULL, NULL);
		assert_true(server >= 0);
	}
	assert_fails(fd_connect_unix(path, SOCK_STREAM, &err), "Connection refused");
}

static void a_directory_deeper_than_an_address_can_be_listened_in(void **state)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	AUTO(mem_free) char *deep = mem_printf("%s/%0100d", dir, 0);
	AUTO(mem_free) char *path = mem_printf("%s/s.sock", deep);
	struct err err;

	(void)state;
	assert_int_equal(mkdir(deep, 0700), 0);
	AUTO(fd_close) int dir_fd = open(deep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd_close) int listener = fd_listen_unix(dir_fd, "s.sock", SOCK_SEQPACKET, 0600, 4, &err);
	assert_ok(listener);
	assert_fails(fd_connect_unix(path, SOCK_SEQPACKET, &err), "File name too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closing_sets_minus_one_and_can_be_repeated),
		cmocka_unit_test(flags_are_set_and_cleared),
		cmocka_unit_test(a_file_is_read_whole),
		cmocka_unit_test(a_file_over_the_limit_is_refused),
		cmocka_unit_test(everything_is_written_through_a_small_pipe),
		cmocka_unit_test(a_socket_is_found_by_its_path_and_left_over_ones_are_replaced),
		cmocka_unit_test(a_directory_deeper_than_an_address_can_be_listened_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
