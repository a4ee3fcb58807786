#include "tests/unit/poolmgr/node/client_rig.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "poolmgr/node/client.h"

struct client_rig client_rig;

static int listen_fd = -1;
static int fds_before;

static void on_question(struct client *c, uint64_t seq)
{
	const struct ipc_msg denial = {.type = IPC_DENY, .deny = {.seq = seq, .code = PROBLEM_NOT_FOUND}, .fds = IPC_NO_FDS};

	if (client_rig.keeps_open)
		client_rig.open++;
	else
		client_send(c, &denial);
}

static const char *on_message(struct client *c, struct ipc_msg *m)
{
	const struct ipc_msg done = {.type = IPC_DONE, .done.seq = m->invalidate.seq, .fds = IPC_NO_FDS};
	const struct ipc_msg reply = {
		.type = IPC_STATS_REPLY, .stats_reply = {.seq = m->stats.seq, .json = STR("{}")}, .fds = IPC_NO_FDS};

	switch (m->type) {
	case IPC_LEASE:
		on_question(c, m->lease.seq);
		break;
	case IPC_CHECK:
		on_question(c, m->check.seq);
		break;
	case IPC_INVALIDATE:
		client_send(c, &done);
		break;
	case IPC_STATS:
		client_send(c, &reply);
		break;
	case IPC_RELEASE:
		client_rig.releases++;
		break;
	default:
		break;
	}
	return NULL;
}

static void on_gone(struct client *c)
{
	(void)c;
	client_rig.gone++;
}

int client_rig_set_up(void **state)
{
	static const struct client_hooks hooks = {on_message, on_gone};
	int rc = engine_rig_set_up(state);
	AUTO(fd_close) int dir = open(rig.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	listen_fd = fd_listen_unix(dir, "poolmgr.sock", SOCK_SEQPACKET | SOCK_NONBLOCK, 0600, 64, &err);
	assert_ok(listen_fd);
	for (int i = 0; i < INHERITED_CLIENTS; i++)
		client_rig.users[i] = geteuid();
	client_init(rig.loop, rig.conf, listen_fd, client_rig.users, &hooks);
	return rc;
}

int client_rig_tear_down(void **state)
{
	client_deinit();
	fd_close(&listen_fd);
	return engine_rig_tear_down(state);
}

int client_rig_each(void **state)
{
	int rc = engine_rig_each(state);

	client_rig.keeps_open = false;
	client_rig.open = client_rig.releases = client_rig.gone = 0;
	fds_before = rig_open_fds();
	return rc;
}

int client_rig_nothing_leaks(void **state)
{
	(void)state;
	worker_close_all();
	WAIT_FOR(client_count() == 0);
	assert_int_equal(rig_open_fds(), fds_before);
	return 0;
}
