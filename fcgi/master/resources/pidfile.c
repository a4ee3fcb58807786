#include "master/resources/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* Reads the first line; "" if there is none. */
static void read_line(int fd, char *line, size_t size)
{
	ssize_t n = pread(fd, line, size - 1, 0);

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

static int refuse(int fd, struct err *err)
{
	char pid[24];

	read_line(fd, pid, sizeof(pid));
	return err_set(err, 0, "another berthd (pid %s) uses this run directory", pid[0] ? pid : "unknown");
}

/* Whether the file we locked is still the one in the directory: its owner may have removed it while we opened it. */
static bool is_current(int run_dir_fd, int fd)
{
	struct stat locked, there;

	return fstat(fd, &locked) == 0 && fstatat(run_dir_fd, PIDFILE_NAME, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       locked.st_dev == there.st_dev && locked.st_ino == there.st_ino;
}

/* The first line is a complete number at any time, so that any process can read it. */
int pidfile_write(int fd, struct err *err)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (fchmod(fd, 0644) < 0 || pwrite(fd, text, (size_t)len, 0) != len || ftruncate(fd, len) < 0)
		return err_set(err, errno, "write " PIDFILE_NAME);
	return 0;
}

int pidfile_lock(int run_dir_fd, struct err *err)
{
	for (;;) {
		AUTO(fd_close)
		int fd = openat(run_dir_fd, PIDFILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return err_set(err, errno, "open " PIDFILE_NAME);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? refuse(fd, err) : err_set(err, errno, "lock " PIDFILE_NAME);
		if (!is_current(run_dir_fd, fd))
			continue;
		if (pidfile_write(fd, err) < 0)
			return -1;
		return TAKE_FD(fd);
	}
}

int pidfile_check_inherited(int run_dir_fd, int fd, struct err *err)
{
	if (!is_current(run_dir_fd, fd))
		return err_set(err, 0, "it is not the run directory of the berthd that runs: only a restart changes that");
	return 0;
}

void pidfile_remove(int run_dir_fd, int *fd)
{
	if (*fd >= 0)
		unlinkat(run_dir_fd, PIDFILE_NAME, 0);
	fd_close(fd);
}

pid_t pidfile_owner(const char *run_dir)
{
	AUTO(mem_free) char *path = mem_printf("%s/" PIDFILE_NAME, run_dir);
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char line[24];

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	read_line(fd, line, sizeof(line));
	return atoi(line);
}
