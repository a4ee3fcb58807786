#include "master/resources/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/ipc.h"

#define BACKLOG   4096
#define NAME_SIZE 32
#define NEW_IPC_SOCKET                                                                                                         \
	IPC_SOCKET_NAME                                                                                                        \
	".new" /* its name until the successor takes over, because the previous berthd still needs the other one */

static const struct {
	const char *name;
	bool several; /* names are numbered: "invoke-0.sock" */
	int type;
	mode_t mode;
	bool for_nginx; /* owned by root and nginx's group, and inherited by the next berthd; false: for poolmgr's clients */
} sockets[LISTEN_KINDS] = {
	[LISTEN_INVOKE] = {"invoke", true, SOCK_STREAM, 0660, true},
	[LISTEN_DEPLOY] = {"deploy", true, SOCK_STREAM, 0660, true},
	[LISTEN_QUERY] = {"query", true, SOCK_STREAM, 0660, true},
	[LISTEN_HEALTH] = {"health", true, SOCK_STREAM, 0660, true},
	[LISTEN_CONTROL] = {"control.sock", false, SOCK_STREAM, 0660, true},
	[LISTEN_FOLLOW] = {"follow.sock", false, SOCK_STREAM, 0660, true},
	[LISTEN_POOLMGR] = {IPC_SOCKET_NAME, false, SOCK_SEQPACKET, 0660, false},
};

/* The arguments for opening all sockets. */
struct opening {
	int run_dir_fd;
	const struct identity *id;
	struct handover *inherited; /* NULL: nothing was */
};

static void name_of(enum listen_kind kind, int index, char name[NAME_SIZE])
{
	if (sockets[kind].several)
		snprintf(name, NAME_SIZE, "%s-%d.sock", sockets[kind].name, index);
	else
		snprintf(name, NAME_SIZE, "%s", sockets[kind].name);
}

static int open_one(const struct opening *o, enum listen_kind kind, int index, struct err *err)
{
	const struct identity *id = o->id;
	AUTO(fd_close) int fd = -1;
	char name[NAME_SIZE];

	name_of(kind, index, name);
	if (o->inherited != NULL && sockets[kind].for_nginx)
		fd = handover_take(o->inherited, name);
	else if (o->inherited != NULL)
		snprintf(name, NAME_SIZE, NEW_IPC_SOCKET);
	if (fd < 0)
		fd = fd_listen_unix(o->run_dir_fd, name, sockets[kind].type | SOCK_NONBLOCK, sockets[kind].mode, BACKLOG, err);
	if (fd < 0)
		return -1;
	if (id->can_switch) {
		/* Of poolmgr's two kinds of clients one is the owner and one the group; poolmgr also checks who connects. */
		uid_t uid = sockets[kind].for_nginx ? 0 : id->accounts[CHILD_CONTROL].uid;
		gid_t gid = sockets[kind].for_nginx ? id->socket_gid : id->accounts[CHILD_INVOKE].gid;
		if (fchownat(o->run_dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set(err, errno, "chown '%s'", name);
	}
	return TAKE_FD(fd);
}

void listen_close(struct listeners *l)
{
	while (l->count > 0)
		fd_close(&l->fds[--l->count]);
}

static int open_kind(const struct opening *o, enum listen_kind kind, int count, struct listeners *l, struct err *err)
{
	while (l->count < count) {
		int fd = open_one(o, kind, l->count, err);
		if (fd < 0)
			return -1;
		l->fds[l->count++] = fd;
	}
	return 0;
}

static int count_of(enum listen_kind kind, const struct conf *conf)
{
	switch (kind) {
	case LISTEN_INVOKE:
		return (int)conf->invoke_lanes;
	case LISTEN_DEPLOY:
	case LISTEN_QUERY:
		return INHERITED_CALLER_LANES;
	case LISTEN_HEALTH:
		return INHERITED_HEALTH_LANES;
	default:
		return 1;
	}
}

int listen_open(int run_dir_fd, const struct conf *conf, const struct identity *id, struct handover *inherited,
		struct listeners listeners[LISTEN_KINDS], struct err *err)
{
	const struct opening opening = {run_dir_fd, id, inherited};
	struct listeners opened[LISTEN_KINDS] = {0};

	for (int kind = 0; kind < LISTEN_KINDS; kind++) {
		int count = count_of((enum listen_kind)kind, conf);
		if (open_kind(&opening, (enum listen_kind)kind, count, &opened[kind], err) == 0)
			continue;
		for (; kind >= 0; kind--)
			listen_close(&opened[kind]);
		return -1;
	}
	memcpy(listeners, opened, sizeof(opened));
	return 0;
}

int listen_hand_over(const struct listeners listeners[LISTEN_KINDS], struct handover *handover, struct err *err)
{
	char name[NAME_SIZE];

	for (int kind = 0; kind < LISTEN_KINDS; kind++) {
		for (int i = 0; i < listeners[kind].count && sockets[kind].for_nginx; i++) {
			name_of((enum listen_kind)kind, i, name);
			if (handover_add(handover, name, listeners[kind].fds[i], err) < 0)
				return -1;
		}
	}
	return 0;
}

int listen_take_over(int run_dir_fd, struct err *err)
{
	if (renameat(run_dir_fd, NEW_IPC_SOCKET, run_dir_fd, IPC_SOCKET_NAME) < 0)
		return err_set(err, errno, "rename '" NEW_IPC_SOCKET "'");
	return 0;
}

void listen_step_back(int run_dir_fd)
{
	unlinkat(run_dir_fd, NEW_IPC_SOCKET, 0);
}

void listen_refuse(int run_dir_fd, enum listen_kind kind, struct listeners *l)
{
	char name[NAME_SIZE];
	int waiting;

	for (int i = 0; i < l->count; i++) {
		name_of(kind, i, name);
		unlinkat(run_dir_fd, name, 0);
		shutdown(l->fds[i], SHUT_RDWR);
		while ((waiting = accept4(l->fds[i], NULL, NULL, SOCK_CLOEXEC)) >= 0)
			fd_close(&waiting);
	}
	listen_close(l);
}
