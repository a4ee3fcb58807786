#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int set_flag(int fd, int get, int set, int flag, bool on, struct err *err)
{
	int flags = fcntl(fd, get);

	if (flags < 0 || fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0)
		return err_set(err, errno, "fcntl of descriptor %d", fd);
	return 0;
}

int fd_set_cloexec(int fd, bool on, struct err *err)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on, err);
}

int fd_set_nonblock(int fd, bool on, struct err *err)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on, err);
}

int fd_write_all(int fd, const void *data, size_t len, struct err *err)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_read_file(const char *path, size_t max_bytes, char **text, size_t *len, struct err *err)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(mem_free) char *data = NULL;
	size_t have = 0, cap = 0;

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	for (;;) {
		if (have == cap) {
			cap = cap ? cap * 2 : 4096;
			data = mem_realloc(data, cap + 1);
		}
		ssize_t n = read(fd, data + have, cap - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read '%s'", path);
		if (n == 0)
			break;
		have += (size_t)n;
		if (have > max_bytes)
			return err_set(err, EFBIG, "read '%s' (limit %zu bytes)", path, max_bytes);
	}
	data[have] = '\0';
	*text = TAKE_PTR(data);
	if (len != NULL)
		*len = have;
	return 0;
}

static int unix_address(int dir_fd, const char *name, struct sockaddr_un *sa, struct err *err)
{
	int n;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (dir_fd == AT_FDCWD)
		n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", name);
	else
		n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
	if (n < 0 || (size_t)n >= sizeof(sa->sun_path))
		return err_set(err, ENAMETOOLONG, "socket '%s'", name);
	return 0;
}

int fd_listen_unix(int dir_fd, const char *name, int type, mode_t mode, int backlog, struct err *err)
{
	struct sockaddr_un sa;

	if (unix_address(dir_fd, name, &sa, err) < 0)
		return -1;
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return err_set(err, errno, "remove old socket '%s'", name);

	AUTO(fd_close) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, errno, "socket");
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(err, errno, "bind '%s'", name);
	if (fchmodat(dir_fd, name, mode, 0) < 0)
		return err_set(err, errno, "chmod '%s'", name);
	if (listen(fd, backlog) < 0)
		return err_set(err, errno, "listen on '%s'", name);
	return TAKE_FD(fd);
}

int fd_connect_unix(const char *path, int type, struct err *err)
{
	struct sockaddr_un sa;

	if (unix_address(AT_FDCWD, path, &sa, err) < 0)
		return -1;
	AUTO(fd_close) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(err, errno, "connect to '%s'", path);
	return TAKE_FD(fd);
}
