/*
 * What berthd needs on disk before any child runs: directories and listening sockets. The master opens the sockets and keeps
 * them, so that a crash of the process behind one only makes its clients wait.
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/heritage.h"
#include "master/identity.h"

enum listen_kind { LISTEN_INVOKE, LISTEN_CONTROL, LISTEN_POOLMGR, LISTEN_KINDS, LISTEN_NONE = LISTEN_KINDS };

/* The sockets of one kind: invoke.lanes of LISTEN_INVOKE, one of the others. */
struct listeners {
	int count; /* 0: not open */
	int fds[HERITAGE_LISTENERS_MAX];
};

/* Makes run_dir (mode 0755, parents too) unless it is there, and returns a descriptor of it. */
int listen_run_dir(const struct conf *conf, struct err *err);

/* Makes <state_dir>/{sandboxes,packages,spool}, which belong to the children's user alone. */
int listen_state_dirs(const struct conf *conf, const struct identity *id, struct err *err);

/* Opens every socket. On failure none stays open, and listeners is untouched. */
int listen_open(int run_dir_fd, const struct conf *conf, const struct identity *id, struct listeners listeners[LISTEN_KINDS],
		struct err *err);

/*
 * Closes the sockets of one kind for new connections in all processes that share them: connect(2) fails at once, and so do
 * connections nobody has accepted yet. Removes their names; there are none left then.
 */
void listen_refuse(int run_dir_fd, enum listen_kind kind, struct listeners *listeners);

#endif
