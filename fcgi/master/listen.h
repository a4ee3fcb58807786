/*
 * What berthd needs on disk before any child runs: directories and listening sockets. The master opens the sockets and keeps
 * them, so that a crash of the process behind one only makes its clients wait.
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include "base/err.h"
#include "conf/conf.h"
#include "master/identity.h"

enum listen_socket { LISTEN_INVOKE, LISTEN_CONTROL, LISTEN_POOLMGR, LISTEN_COUNT, LISTEN_NONE = LISTEN_COUNT };

/* Makes run_dir (mode 0755, parents too) unless it is there, and returns a descriptor of it. */
int listen_run_dir(const struct conf *conf, struct err *err);

/* Makes <state_dir>/{sandboxes,packages,spool}, which belong to the children's user alone. */
int listen_state_dirs(const struct conf *conf, const struct identity *id, struct err *err);

/* Opens every socket. On failure none stays open. */
int listen_open(int run_dir_fd, const struct identity *id, int fds[LISTEN_COUNT], struct err *err);

/*
 * Closes the socket for new connections in all processes that share it: connect(2) fails at once, and so do connections nobody
 * has accepted yet. Removes its name and closes *fd.
 */
void listen_refuse(int run_dir_fd, enum listen_socket which, int *fd);

#endif
