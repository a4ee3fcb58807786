#include "ipc/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

struct pair {
	int ends[2];
};

static void pair_close(struct pair *pair)
{
	fd_close(&pair->ends[0]);
	fd_close(&pair->ends[1]);
}

static struct pair pair_open(void)
{
	struct pair pair;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.ends), 0);
	return pair;
}

static int open_null(void)
{
	int fd = open("/dev/null", O_RDONLY);

	assert_true(fd >= 0);
	return fd;
}

/* Sends len bytes with count copies of one descriptor. */
static void send_copies(struct pair *pair, size_t len, int count)
{
	static const char data[100];
	AUTO(fd_close) int fd = open_null();
	int fds[16];
	struct err err;

	for (int i = 0; i < count; i++)
		fds[i] = fd;
	assert_ok(fdpass_send(pair->ends[0], data, len, fds, count, &err));
}

static void two_descriptors_arrive_and_are_the_same_files(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	int pipe_ends[2], fds[2] = {-1, -1}, count = 0;
	char data[16];
	struct err err;

	(void)state;
	assert_int_equal(pipe(pipe_ends), 0);
	assert_ok(fdpass_send(pair.ends[0], "hello", 5, pipe_ends, 2, &err));
	assert_int_equal(fdpass_recv(pair.ends[1], data, sizeof(data), fds, 2, &count, &err), 5);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(count, 2);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(fds[0], data, 1), 1);
	for (int i = 0; i < 2; i++) {
		assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
		fd_close(&fds[i]);
		fd_close(&pipe_ends[i]);
	}
}

static void a_message_without_descriptors_has_none(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	int fds[2] = {-1, -1}, count = 7;
	char data[16];
	struct err err;

	(void)state;
	send_copies(&pair, 3, 0);
	assert_int_equal(fdpass_recv(pair.ends[1], data, sizeof(data), fds, 2, &count, &err), 3);
	assert_int_equal(count, 0);
}

static void surplus_descriptors_are_refused_and_not_leaked(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	int fds[2], count = 7, before = unit_open_fds();
	char data[16];
	struct err err;

	(void)state;
	for (int sent = 3; sent <= 16; sent++) {
		send_copies(&pair, 3, sent);
		assert_fails((int)fdpass_recv(pair.ends[1], data, sizeof(data), fds, 2, &count, &err), "2 descriptors");
		assert_int_equal(err.code, EPROTO);
		assert_int_equal(errno, EPROTO);
		assert_int_equal(unit_open_fds(), before);
	}
	assert_int_equal(count, 7);
}

/* More than the receiver has room for: the kernel drops the rest and says so. */
static void more_descriptors_than_there_is_room_for_are_not_leaked(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	AUTO(fd_close) int fd = open_null();
	char control[CMSG_SPACE(sizeof(int) * 100)] = {0};
	struct iovec iov = {.iov_base = control, .iov_len = 3};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fds[2], count, before = unit_open_fds();
	char data[16];
	struct err err;

	(void)state;
	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * 100)};
	for (size_t i = 0; i < 100; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
	assert_int_equal(sendmsg(pair.ends[0], &msg, 0), 3);
	assert_fails((int)fdpass_recv(pair.ends[1], data, sizeof(data), fds, 2, &count, &err), "2 descriptors");
	assert_int_equal(unit_open_fds(), before);
}

static void a_datagram_that_does_not_fit_is_refused_and_its_descriptors_closed(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	int fds[2], count, before = unit_open_fds();
	char data[16];
	struct err err;

	(void)state;
	send_copies(&pair, sizeof(data) + 1, 2);
	assert_fails((int)fdpass_recv(pair.ends[1], data, sizeof(data), fds, 2, &count, &err), "more than 16 bytes");
	assert_int_equal(err.code, EPROTO);
	assert_int_equal(unit_open_fds(), before);
}

static void an_empty_datagram_with_descriptors_is_no_end_of_file(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	int fds[2], count, before = unit_open_fds();
	char data[16];
	struct err err;

	(void)state;
	send_copies(&pair, 0, 2);
	assert_fails((int)fdpass_recv(pair.ends[1], data, sizeof(data), fds, 2, &count, &err), "message");
	assert_int_equal(unit_open_fds(), before);
}

static void nothing_there_is_not_waited_for(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	int fds[2], count;
	char data[16];
	struct err err;

	(void)state;
	assert_fails((int)fdpass_recv(pair.ends[1], data, sizeof(data), fds, 2, &count, &err), "receive");
	assert_int_equal(err.code, EAGAIN);
}

static void the_other_end_gone_is_end_of_file(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	int fds[2], count;
	char data[16];
	struct err err;

	(void)state;
	fd_close(&pair.ends[0]);
	assert_int_equal(fdpass_recv(pair.ends[1], data, sizeof(data), fds, 2, &count, &err), 0);
	assert_fails(fdpass_send(pair.ends[1], "x", 1, NULL, 0, &err), "Broken pipe");
}

static void a_full_socket_is_not_waited_for(void **state)
{
	AUTO(pair_close) struct pair pair = pair_open();
	static const char data[10000];
	struct err err;
	int rc;

	(void)state;
	do
		rc = fdpass_send(pair.ends[0], data, sizeof(data), NULL, 0, &err);
	while (rc == 0);
	assert_int_equal(err.code, EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_descriptors_arrive_and_are_the_same_files),
		cmocka_unit_test(a_message_without_descriptors_has_none),
		cmocka_unit_test(surplus_descriptors_are_refused_and_not_leaked),
		cmocka_unit_test(more_descriptors_than_there_is_room_for_are_not_leaked),
		cmocka_unit_test(a_datagram_that_does_not_fit_is_refused_and_its_descriptors_closed),
		cmocka_unit_test(an_empty_datagram_with_descriptors_is_no_end_of_file),
		cmocka_unit_test(nothing_there_is_not_waited_for),
		cmocka_unit_test(the_other_end_gone_is_end_of_file),
		cmocka_unit_test(a_full_socket_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
