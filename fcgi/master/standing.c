#include "master/standing.h"

#include <sys/eventfd.h>

#include "base/fd.h"
#include "master/master.h"
#include "master/resources/pidfile.h"

/* Gives up everything that is shared with another berthd, which continues to use it. */
static void let_go(struct master *m)
{
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		listen_close(&m->listeners[kind]);
	fd_close(&m->fds[FD_PID]);
}

void standing_step_back(struct master *m)
{
	listen_step_back(m->fds[FD_RUN_DIR]);
	let_go(m);
	fd_close(&m->fds[FD_PREDECESSOR]);
}

int standing_take_over(struct master *m, struct err *err)
{
	if (listen_take_over(m->fds[FD_RUN_DIR], err) < 0 || pidfile_write(m->fds[FD_PID], err) < 0)
		return -1;
	m->standing = IN_CHARGE;
	eventfd_write(m->fds[FD_GATE], 1);
	successor_send(m->fds[FD_PREDECESSOR], SUCCESSOR_READY);
	return 0;
}

void standing_retire(struct master *m)
{
	let_go(m);
	m->standing = RETIRED;
}
