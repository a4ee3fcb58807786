/*
 * The listening sockets, in run_dir. The master opens them and keeps them, so that a crash of the process behind one only makes
 * its clients wait.
 */
#ifndef MASTER_RESOURCES_LISTEN_H
#define MASTER_RESOURCES_LISTEN_H

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/heritage.h"
#include "master/resources/bequest.h"
#include "master/resources/identity.h"

enum listen_kind {
	LISTEN_INVOKE,
	LISTEN_DEPLOY,
	LISTEN_QUERY,
	LISTEN_HEALTH,
	LISTEN_CONTROL,
	LISTEN_FOLLOW,
	LISTEN_POOLMGR,
	LISTEN_KINDS,
	LISTEN_NONE = LISTEN_KINDS
};

/* The sockets of one kind: as many as ipc/heritage.h says. */
struct listeners {
	int count; /* 0: not open */
	int fds[HERITAGE_LISTENERS_MAX];
};

/*
 * Opens every socket; those of nginx are taken out of what was inherited as far as they are in there. inherited NULL: nothing
 * was. On failure none stays open, and listeners is untouched.
 *
 * Until an heir has taken over, the name of the IPC socket is the old poolmgr's, for workers that connect to it.
 */
int listen_open(int run_dir_fd, const struct conf *conf, const struct identity *id, struct bequest *inherited,
		struct listeners listeners[LISTEN_KINDS], struct err *err);
int listen_take_over(int run_dir_fd, struct err *err); /* the names are ours from now on */
void listen_step_back(int run_dir_fd);                 /* they never will be */

/* Adds the sockets that an heir goes on with. */
int listen_bequeath(const struct listeners listeners[LISTEN_KINDS], struct bequest *bequest, struct err *err);

/* Closes those of one kind here; whoever shares them goes on. There are none left then. */
void listen_close(struct listeners *listeners);

/*
 * Closes the sockets of one kind for new connections in all processes that share them: connect(2) fails at once, and so do
 * connections nobody has accepted yet. Removes their names; there are none left then.
 */
void listen_refuse(int run_dir_fd, enum listen_kind kind, struct listeners *listeners);

#endif
