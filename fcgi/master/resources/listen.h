/*
 * The listening sockets, in run_dir. The master opens and keeps them, so that after a crash of the process that serves a socket
 * its clients only wait.
 */
#ifndef MASTER_RESOURCES_LISTEN_H
#define MASTER_RESOURCES_LISTEN_H

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/inherited.h"
#include "master/resources/handover.h"
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

/* The sockets of one kind; ipc/inherited.h has their number. */
struct listeners {
	int count; /* 0: not open */
	int fds[INHERITED_LISTENERS_MAX];
};

/*
 * Opens every socket; those of nginx are taken from inherited if they are there. inherited NULL: nothing was inherited. On
 * failure no socket stays open, and listeners is untouched.
 *
 * Until a successor takes over, the name of the IPC socket belongs to the old poolmgr, for workers that connect to it.
 */
int listen_open(int run_dir_fd, const struct conf *conf, const struct identity *id, struct handover *inherited,
		struct listeners listeners[LISTEN_KINDS], struct err *err);
int listen_take_over(int run_dir_fd, struct err *err); /* the names belong to this berthd from now on */
void listen_step_back(int run_dir_fd);                 /* they will never belong to it */

/* Adds the sockets that a successor continues to use. */
int listen_hand_over(const struct listeners listeners[LISTEN_KINDS], struct handover *handover, struct err *err);

/* Closes the sockets of one kind in this process; other processes continue to use them. The list is then empty. */
void listen_close(struct listeners *listeners);

/*
 * Closes the sockets of one kind for new connections in all processes that share them: connect(2) fails at once, and so do
 * connections that were not accepted yet. Removes their names. The list is then empty.
 */
void listen_refuse(int run_dir_fd, enum listen_kind kind, struct listeners *listeners);

#endif
