#include "ipc/fdpass.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

/* Room for more descriptors than any message carries, so that surplus ones are received and closed instead of being cut off. */
#define ROOM 16

union control {
	char bytes[CMSG_SPACE(sizeof(int) * ROOM)];
	struct cmsghdr align;
};

int fdpass_send(int fd, const void *data, size_t len, const int *fds, int count, struct err *err)
{
	union control control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	assert(count >= 0 && count <= ROOM);
	if (count > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)count);
	}

	ssize_t n;
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, errno, "send a message of %zu bytes", len);
	return 0; /* a datagram is sent whole or not at all */
}

/* Takes the descriptors out of the control data; those above max_fds are closed. Returns how many there were. */
static int collect_fds(struct msghdr *msg, int *fds, int max_fds)
{
	int total = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++, total++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (total < max_fds)
				fds[total] = fd;
			else
				fd_close(&fd);
		}
	}
	return total;
}

ssize_t fdpass_recv(int fd, void *data, size_t size, int *fds, int max_fds, int *count, struct err *err)
{
	union control control;
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};

	ssize_t n;
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, errno, "receive a message");

	int total = collect_fds(&msg, fds, max_fds);
	bool empty_with_fds =
		n == 0 && total > 0; /* a caller would take length 0 for the end of file and leak the descriptors */
	if (total > max_fds || empty_with_fds || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		for (int i = 0; i < MIN(total, max_fds); i++)
			fd_close(&fds[i]);
		err_set(err, EPROTO, "message of more than %zu bytes or %d descriptors", size, max_fds);
		errno = EPROTO;
		return -1;
	}
	*count = total;
	return n;
}
