/*
 * The warden: opens the cgroups of sandboxes for poolmgr, so that it can measure, freeze and end them without being root
 * itself.
 *
 * The master starts it as a user with two capabilities: to open the files of cgroups, which belong to root, and to kill
 * processes of other users. It gives up everything else that these would allow (confine.h). It answers CGROUP_OPEN with the
 * files of one cgroup, kills the processes of a cgroup on CGROUP_KILL, and ends the process that containerd keeps for a
 * sandbox's container on SHIM_END. It makes no decisions, uses no network, and touches nothing but such processes and cgroups
 * that carry a container's id.
 *
 * It ends on SIGTERM, after poolmgr, or when the master is gone. Its crash costs nothing: requests wait in the socket for the
 * next warden.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "ipc/heartbeat.h"
#include "ipc/inherited.h"
#include "ipc/ipc.h"
#include "ipc/scoreboard.h"
#include "warden/confine.h"
#include "warden/containerd.h"
#include "warden/warden.h"

struct warden {
	struct warden_mounts mounts;
	struct scoreboard *board;
	struct slot *slot;
	struct buf scratch; /* the buffer that strings of the current message point into */
	int signal_fd;
};

static void warden_free(struct warden *w)
{
	warden_mounts_clear(&w->mounts);
	buf_free(&w->scratch);
	fd_close(&w->signal_fd);
	scoreboard_close(&w->board);
}

static void send_answer(const struct ipc_msg *answer)
{
	struct err err;

	if (ipc_send(INHERITED_WARDEN_FD, answer, &err) < 0)
		log_error("answer to poolmgr lost: %s", err.msg);
}

static void on_open(struct warden *w, const struct ipc_msg *m)
{
	AUTO(mem_free) char *container = mem_strndup(m->cgroup_open.container.data, m->cgroup_open.container.len);
	struct ipc_msg answer = {.type = IPC_CGROUP, .cgroup.seq = m->cgroup_open.seq};
	struct err err = {0};

	if (warden_open(&w->mounts, container, (pid_t)m->cgroup_open.pid, answer.fds, &answer.cgroup.version, &err) < 0) {
		send_answer(&(struct ipc_msg){
			.type = IPC_CGROUP_FAILED,
			.cgroup_failed = {.seq = m->cgroup_open.seq, .why = STR(err.msg)},
		});
		return;
	}
	send_answer(&answer);
	ipc_close_fds(&answer);
}

static void on_kill(struct warden *w, const struct ipc_msg *m)
{
	struct err err = {0};

	(void)w;
	if (warden_kill(m->fds[0], m->fds[1], &err) < 0)
		log_error("nothing killed: %s", err.msg);
}

static void on_shim_end(struct warden *w, const struct ipc_msg *m)
{
	AUTO(mem_free) char *container = mem_strndup(m->shim_end.container.data, m->shim_end.container.len);
	AUTO(mem_free) char *directory = mem_strndup(m->shim_end.directory.data, m->shim_end.directory.len);
	struct err err = {0};

	if (containerd_end_shim(&w->mounts, container, (pid_t)m->shim_end.pid, directory, &err) < 0)
		log_debug("no shim ended: %s", err.msg); /* usually the shim of a container that is not ours */
	else
		send_answer(
			&(struct ipc_msg){.type = IPC_SHIM_ENDED, .fds = IPC_NO_FDS, .shim_ended.container = STR(container)});
}

static void (*const handlers[IPC_TYPE_COUNT])(struct warden *w, const struct ipc_msg *m) = {
	[IPC_CGROUP_OPEN] = on_open,
	[IPC_CGROUP_KILL] = on_kill,
	[IPC_SHIM_END] = on_shim_end,
};

static void serve_one(struct warden *w)
{
	struct ipc_msg m;
	struct err err = {0};

	int rc = ipc_recv(INHERITED_WARDEN_FD, IPC_POOLMGR, 0, &w->scratch, &m, &err);
	if (rc <= 0) {
		if (rc < 0 && err.code != EAGAIN && err.code != EINTR)
			log_error("message refused: %s", err.msg);
		return;
	}
	if (handlers[m.type] != NULL)
		handlers[m.type](w, &m);
	else
		log_error("%s is not for the warden", ipc_name(m.type));
	ipc_close_fds(&m);
}

static int init(struct warden *w, const struct inherited *inherited, struct err *err)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &blocked, NULL) < 0)
		return err_set(err, errno, "block signals");
	w->signal_fd = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signal_fd < 0)
		return err_set(err, errno, "signalfd");
	if (scoreboard_attach(INHERITED_SCOREBOARD_FD, &w->board, err) < 0)
		return -1;
	w->slot = scoreboard_slot(w->board, inherited->slot);
	heartbeat_begin(w->slot);
	if (warden_mounts_read("/proc/self/mountinfo", &w->mounts, err) < 0)
		return -1;
	return confine(&w->mounts, inherited->conf->docker_containerd_dirs, err);
}

int warden_main(const struct inherited *inherited)
{
	AUTO(warden_free) struct warden w = {.signal_fd = -1};
	struct err err = {0};

	if (init(&w, inherited, &err) < 0) {
		log_error("cannot start: %s", err.msg);
		return EXIT_FAILURE;
	}
	struct pollfd fds[] = {
		{.fd = w.signal_fd, .events = POLLIN},
		{.fd = INHERITED_LIFE_FD, .events = POLLIN},
		{.fd = INHERITED_WARDEN_FD, .events = POLLIN},
	};
	atomic_store(&w.slot->state, SLOT_IDLE);
	while (fds[0].revents == 0 && fds[1].revents == 0) {
		heartbeat_now();
		if (poll(fds, ARRAY_SIZE(fds), clock_left_ms(heartbeat_due_us(INT64_MAX))) > 0 && fds[2].revents != 0)
			serve_one(&w);
	}
	atomic_store(&w.slot->state, SLOT_STOPPING);
	return EXIT_SUCCESS;
}
