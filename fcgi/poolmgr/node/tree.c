#include "poolmgr/node/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* Deeper trees are refused, so that recursion is bounded. */
#define MAX_DEPTH 64

static void close_dir(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

/* Opens a directory for reading without following a symbolic link; the stream owns its descriptor. */
static DIR *open_dir(int dir_fd, const char *name, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL) {
		err_set(err, errno, "open directory '%s'", name);
		fd_close(&fd);
	}
	return dir;
}

/* The next entry except "." and "..", NULL at the end. */
static const struct dirent *next_entry(DIR *dir)
{
	const struct dirent *e;

	do
		e = readdir(dir);
	while (e != NULL && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	return e;
}

static int is_directory(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int remove_below(int dir_fd, const char *name, int depth, struct err *err)
{
	const struct dirent *e;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_set(err, errno, "remove '%s'", name);
	if (depth > MAX_DEPTH)
		return err_set(err, ELOOP, "remove '%s'", name);

	AUTO(close_dir) DIR *dir = open_dir(dir_fd, name, err);
	if (dir == NULL)
		return -1;
	while ((e = next_entry(dir)) != NULL)
		if (remove_below(dirfd(dir), e->d_name, depth + 1, err) < 0)
			return -1;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(err, errno, "remove directory '%s'", name);
	return 0;
}

int tree_remove(int dir_fd, const char *name, struct err *err)
{
	return remove_below(dir_fd, name, 0, err);
}

static int64_t bytes_below(int dir_fd, const char *name, int depth)
{
	const struct dirent *e;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	int64_t bytes = (int64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode) || depth > MAX_DEPTH)
		return bytes;
	AUTO(close_dir) DIR *dir = open_dir(dir_fd, name, NULL);
	while (dir != NULL && (e = next_entry(dir)) != NULL)
		bytes += bytes_below(dirfd(dir), e->d_name, depth + 1);
	return bytes;
}

int64_t tree_bytes(int dir_fd, const char *name)
{
	return bytes_below(dir_fd, name, 0);
}

int tree_each(int dir_fd, void (*fn)(int dir_fd, const char *name, void *arg), void *arg, struct err *err)
{
	AUTO(close_dir) DIR *dir = open_dir(dir_fd, ".", err);
	const struct dirent *e;

	if (dir == NULL)
		return -1;
	while ((e = next_entry(dir)) != NULL)
		fn(dir_fd, e->d_name, arg);
	return 0;
}

static int link_below(DIR *from, int to_fd, int depth, struct err *err);

static int link_directory(int from_fd, int to_fd, const char *name, int depth, struct err *err)
{
	AUTO(close_dir) DIR *sub = open_dir(from_fd, name, err);

	if (sub == NULL)
		return -1;
	if (mkdirat(to_fd, name, 0755) < 0)
		return err_set(err, errno, "make directory '%s'", name);
	AUTO(fd_close) int sub_to = openat(to_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_to < 0 || fchmod(sub_to, 0755) < 0)
		return err_set(err, errno, "open directory '%s'", name);
	return link_below(sub, sub_to, depth + 1, err);
}

static int link_below(DIR *from, int to_fd, int depth, struct err *err)
{
	const struct dirent *e;

	if (depth > MAX_DEPTH)
		return err_set(err, ELOOP, "package is deeper than %d directories", MAX_DEPTH);
	while ((e = next_entry(from)) != NULL) {
		if (is_directory(dirfd(from), e->d_name)) {
			if (link_directory(dirfd(from), to_fd, e->d_name, depth, err) < 0)
				return -1;
		} else if (linkat(dirfd(from), e->d_name, to_fd, e->d_name, 0) < 0) {
			return err_set(err, errno, "link '%s'", e->d_name);
		}
	}
	return 0;
}

int tree_link(int from_fd, int to_fd, struct err *err)
{
	AUTO(close_dir) DIR *from = open_dir(from_fd, ".", err);

	return from == NULL ? -1 : link_below(from, to_fd, 0, err);
}

/* Opens an open directory again, because flock(2) belongs to the open file description and other threads need their own. */
static int lock_directory(int dir_fd, int how, struct err *err)
{
	AUTO(fd_close) int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, how) < 0)
		return err_set(err, errno, "lock a directory");
	return TAKE_FD(fd);
}

/*
 * If an old poolmgr that runs as another user still works below the same directory (fcgi/master/resources/layout.c), it must be
 * able to open our directories to see that they are locked.
 */
static int show_to_group(int dir_fd, int fd, struct err *err)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return err_set(err, errno, "look at a directory");
	if (st.st_gid == getegid() || (st.st_mode & S_IRGRP) == 0)
		return 0;
	if (fchown(fd, (uid_t)-1, st.st_gid) < 0 || fchmod(fd, 0750) < 0)
		return err_set(err, errno, "show a directory to its group");
	return 0;
}

int tree_make_owned(int dir_fd, const char *name, struct err *err)
{
	/*
	 * This lock keeps other poolmgrs from looking at a directory between its creation and its lock; it is held for some
	 * microseconds.
	 */
	AUTO(fd_close) int birth_fd = lock_directory(dir_fd, LOCK_SH, err);

	if (birth_fd < 0)
		return -1;
	if (mkdirat(dir_fd, name, 0755) < 0)
		return err_set(err, errno, "make directory '%s'", name);
	AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, errno, "lock directory '%s'", name);
	return show_to_group(dir_fd, fd, err) < 0 ? -1 : TAKE_FD(fd);
}

bool tree_is_owned(int dir_fd, const char *name)
{
	AUTO(fd_close) int birth_fd = lock_directory(dir_fd, LOCK_EX | LOCK_NB, NULL);
	AUTO(fd_close) int fd = birth_fd < 0 ? -1 : openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (birth_fd < 0) /* it may be in creation */
		return true;
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}
