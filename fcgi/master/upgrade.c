#include "master/upgrade.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "master/resources/layout.h"
#include "master/resources/notify.h"
#include "master/standing.h"
#include "master/stop.h"

static int prepare_handover(const struct master *m, struct handover *handover, struct err *err)
{
	if (handover_add(handover, "pid", m->fds[FD_PID], err) < 0 ||
	    handover_add(handover, "state", m->fds[FD_STATE_DIR], err) < 0)
		return -1;
	return listen_hand_over(m->listeners, handover, err);
}

void upgrade_start(struct master *m)
{
	AUTO(handover_free) struct handover handover = {0};
	struct err err;

	if (m->stage >= 0 || !m->ready || m->successor.pid != 0) {
		log_warn("SIGUSR2: %s", m->stage >= 0 ? "this berthd is stopping"
					: !m->ready   ? "this berthd is not ready itself"
						      : "an upgrade is under way");
		return;
	}
	if (prepare_handover(m, &handover, &err) < 0 ||
	    successor_start(&m->successor, m->start->program, m->settings->path, &handover, &err) < 0) {
		log_error("upgrade failed: %s; this one goes on", err.msg);
		return;
	}
	m->successor.end_at_us = clock_mono_us() + m->settings->conf->master_upgrade_timeout_ms * 1000;
	log_info("SIGUSR2: '%s' starts as pid %d and is to take over", m->start->program, (int)m->successor.pid);
}

/* The successor has taken over and owns the run directory. */
static void hand_over(struct master *m)
{
	AUTO(mem_free) char *main_pid = mem_printf("MAINPID=%d", (int)m->successor.pid);
	struct err err;

	log_info("the new berthd (pid %d) has taken over: stopping when requests in flight are done", (int)m->successor.pid);
	if (notify_send(main_pid, &err) < 0)
		log_warn("%s", err.msg);
	m->successor.pid = 0;
	standing_retire(m);
	m->patient = true;
	stop_begin(m, role_handover);
}

void upgrade_on_word(struct master *m)
{
	enum successor_word word = successor_receive(&m->successor.link_fd);

	if (word == SUCCESSOR_READY && m->stage < 0)
		hand_over(m);
	else if (word == SUCCESSOR_READY) /* too late: the successor was told to stop, and waits for this berthd */
		m->successor.pid = 0;
	else if (word == SUCCESSOR_HURRY && m->standing == RETIRED)
		stop_order(m, "the new berthd is told to stop");
}

void upgrade_on_death(struct master *m, const char *how)
{
	upgrade_on_word(m); /* its earlier messages count */
	if (m->successor.pid == 0)
		return;
	log_error("upgrade failed: the new berthd (pid %d) %s; this one goes on", (int)m->successor.pid, how);
	fd_close(&m->successor.link_fd);
	m->successor = SUCCESSOR_NONE;
}

void upgrade_check(struct master *m, int64_t now_us)
{
	if (m->successor.pid == 0 || now_us < m->successor.end_at_us)
		return;
	log_error("upgrade failed: the new berthd (pid %d) %s", (int)m->successor.pid,
		  m->successor.ending ? "did not end in time and is killed" : "was not ready within master.upgrade_timeout_ms");
	successor_end(&m->successor, stop_deadline_us(m));
}

void upgrade_settle(struct master *m)
{
	struct err err;

	pid_t pid = fork();
	if (pid > 0)
		return;
	if (pid < 0)
		err_set(&err, errno, "fork");
	if (pid < 0 || layout_settle(m->fds[FD_STATE_DIR], m->settings->conf, &m->identity, &err) < 0)
		log_error("what the berthd before has left is not ours yet: %s", err.msg);
	if (pid == 0)
		_exit(0);
}
