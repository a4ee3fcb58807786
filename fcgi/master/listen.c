#include "master/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "ipc/record.h"

#define BACKLOG 4096

static const struct {
	const char *name;
	int type;
	mode_t mode;
	bool for_nginx; /* root and nginx's group; else the children's user */
} sockets[LISTEN_COUNT] = {
	[LISTEN_INVOKE] = {"invoke.sock", SOCK_STREAM, 0660, true},
	[LISTEN_CONTROL] = {"control.sock", SOCK_STREAM, 0660, true},
	[LISTEN_POOLMGR] = {IPC_SOCKET_NAME, SOCK_SEQPACKET, 0600, false},
};

static const char *const state_dirs[] = {"sandboxes", "packages", RECORD_SPOOL_DIR};

/* One directory with exactly mode. One that is there stays as it is. */
static int make_dir(const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) == 0)
		return chmod(path, mode) < 0 ? err_set(err, errno, "chmod '%s'", path) : 0;
	return errno == EEXIST ? 0 : err_set(err, errno, "create directory '%s'", path);
}

/* With its parents; all readable by everyone. */
static int make_path(const char *path, struct err *err)
{
	AUTO(mem_free) char *copy = mem_strdup(path);

	for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (make_dir(copy, 0755, err) < 0)
			return -1;
		*slash = '/';
	}
	return make_dir(path, 0755, err);
}

static int open_dir(const char *path, struct err *err)
{
	if (make_path(path, err) < 0)
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, errno, "open directory '%s'", path) : fd;
}

int listen_run_dir(const struct conf *conf, struct err *err)
{
	return open_dir(conf->master_run_dir, err);
}

/* Through a descriptor that follows no link: what is changed is the directory that was looked at. */
static int make_private_dir(int dir_fd, const char *name, const struct identity *id, struct err *err)
{
	if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return err_set(err, errno, "create directory '%s'", name);
	AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open directory '%s'", name);
	if (id->can_switch && fchown(fd, id->uid, id->gid) < 0)
		return err_set(err, errno, "chown '%s'", name);
	if (fchmod(fd, 0700) < 0)
		return err_set(err, errno, "chmod '%s'", name);
	return 0;
}

int listen_state_dirs(const struct conf *conf, const struct identity *id, struct err *err)
{
	AUTO(fd_close) int dir_fd = open_dir(conf->master_state_dir, err);

	if (dir_fd < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(state_dirs); i++)
		if (make_private_dir(dir_fd, state_dirs[i], id, err) < 0)
			return err_prefix(err, "%s", conf->master_state_dir);
	return 0;
}

static int open_one(int run_dir_fd, enum listen_socket which, const struct identity *id, struct err *err)
{
	const char *name = sockets[which].name;
	AUTO(fd_close)
	int fd = fd_listen_unix(run_dir_fd, name, sockets[which].type | SOCK_NONBLOCK, sockets[which].mode, BACKLOG, err);

	if (fd < 0)
		return -1;
	if (id->can_switch) {
		uid_t uid = sockets[which].for_nginx ? 0 : id->uid;
		gid_t gid = sockets[which].for_nginx ? id->socket_gid : id->gid;
		if (fchownat(run_dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set(err, errno, "chown '%s'", name);
	}
	return TAKE_FD(fd);
}

int listen_open(int run_dir_fd, const struct identity *id, int fds[LISTEN_COUNT], struct err *err)
{
	int open_fds[LISTEN_COUNT];

	for (int i = 0; i < LISTEN_COUNT; i++) {
		open_fds[i] = open_one(run_dir_fd, (enum listen_socket)i, id, err);
		if (open_fds[i] < 0) {
			while (--i >= 0)
				fd_close(&open_fds[i]);
			return -1;
		}
	}
	memcpy(fds, open_fds, sizeof(open_fds));
	return 0;
}

void listen_refuse(int run_dir_fd, enum listen_socket which, int *fd)
{
	int waiting;

	if (*fd < 0)
		return;
	unlinkat(run_dir_fd, sockets[which].name, 0);
	shutdown(*fd, SHUT_RDWR);
	while ((waiting = accept4(*fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		fd_close(&waiting);
	fd_close(fd);
}
