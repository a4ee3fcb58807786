/*
 * The master: the first process, and the only one that stays root.
 *
 * Started by  a person, a script or the service manager; stays in the foreground.
 * Does        opens the sockets, starts the children, replaces those that die, sizes the pools. It reads nothing that came over
 *             a network, uses no SQL and never talks to Docker.
 * Ended by    SIGTERM or SIGINT: the children finish stage by stage (role.c), and late ones are killed. A second signal kills
 *             them sooner. SIGHUP reads the configuration again.
 * Upgrade     SIGUSR2 starts the program anew, as a successor (successor.h). The successor inherits the sockets of nginx and
 *             the lock on the pid file, starts its own children and takes over when all are ready: its workers begin to accept,
 *             and it owns the run directory. This master then ends, after its requests. If the successor fails before that,
 *             nothing changes.
 * Its crash   closes the life pipe; every child notices that, finishes its request and exits. The sockets and the lock on the
 *             pid file are gone with the master, so a new one can start at once.
 */
#include "master/master_main.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "master/reload.h"
#include "master/resources/notify.h"
#include "master/resources/pidfile.h"
#include "master/standing.h"
#include "master/startup.h"
#include "master/stop.h"
#include "master/team.h"
#include "master/upgrade.h"

#define TICK_US           100000
#define REPLACING_TICK_US 20000 /* the next pool is replaced as soon as the one before is up */

static void master_free(struct master *m)
{
	if (m->standing == SUCCESSOR)
		standing_step_back(m);
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		listen_refuse(m->fds[FD_RUN_DIR], (enum listen_kind)kind, &m->listeners[kind]);
	pidfile_remove(m->fds[FD_RUN_DIR], &m->fds[FD_PID]);
	descriptor_close(m->fds);
	fd_close(&m->successor.link_fd);
	for (int role = 0; role < CHILD_ROLE_COUNT; role++)
		fd_close(&m->program_fds[role]);
	handover_free(&m->inherited);
	scoreboard_close(&m->board);
	identity_free(&m->identity);
	mem_free(&m->crew);
}

static void become_ready(struct master *m)
{
	struct err err;

	if (m->standing == SUCCESSOR && standing_take_over(m, &err) < 0) {
		log_error("cannot take over: %s", err.msg);
		stop_order(m, "it cannot take over");
		return;
	}
	m->ready = true;
	log_info("ready%s: sockets in '%s'", m->start->inherited ? ", and has taken over" : "",
		 m->settings->conf->master_run_dir);
	if (notify_send("READY=1", &err) < 0)
		log_warn("%s", err.msg);
}

/* Whether a pool is being replaced. */
static bool tick(struct master *m, int64_t now_us)
{
	bool all_up = true, replacing = false;

	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		bool up = team_is_wanted(m, role) && team_adjust(m, role, now_us);
		replacing = reload_replace(m, role, up, replacing) || replacing;
		all_up = all_up && up;
	}
	if (all_up && !m->ready)
		become_ready(m);
	crew_kill_late(m->crew, now_us);
	crew_kill_stuck(m->crew, now_us, m->settings->conf->master_stuck_after_ms * 1000);
	return replacing;
}

static void reap_all(struct master *m)
{
	struct crew_death death;

	while (crew_reap(m->crew, &death)) {
		if (death.pid == m->successor.pid)
			upgrade_on_death(m, death.how);
		if (death.role == CHILD_ROLE_COUNT)
			continue;
		if (death.role == CHILD_INVOKE)
			eventfd_write(m->fds[FD_TURN], 1); /* the dead worker may have had a turn */
		if (!death.asked)
			throttle_on_exit(&m->teams[death.role].throttle, death.success, death.started_us, clock_mono_us(),
					 m->settings->conf->master_restart_delay_ms * 1000);
	}
}

static void on_signal(struct master *m, int signal)
{
	AUTO(mem_free) char *name = mem_printf("SIG%s", sigabbrev_np(signal));

	switch (signal) {
	case SIGCHLD:
		reap_all(m);
		break;
	case SIGHUP:
		reload_run(m);
		break;
	case SIGUSR2:
		upgrade_start(m);
		break;
	default:
		stop_order(m, name);
	}
}

static void handle_signals(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->fds[FD_SIGNALS], &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(m, (int)info.ssi_signo);
}

/* Whether the stop is complete, and no successor that is still starting is left. */
static bool is_over(const struct master *m)
{
	return m->stage == ROLE_STAGE_COUNT && m->successor.pid == 0;
}

static void wait_for_events(struct master *m)
{
	struct pollfd fds[] = {{.fd = m->fds[FD_SIGNALS], .events = POLLIN},
			       {.fd = m->successor.link_fd, .events = POLLIN},
			       {.fd = m->fds[FD_PREDECESSOR], .events = POLLIN}};

	if (poll(fds, ARRAY_SIZE(fds), clock_left_ms(m->next_tick_us)) <= 0)
		return;
	handle_signals(m);
	upgrade_on_word(m);
	if (successor_receive(&m->fds[FD_PREDECESSOR]) == SUCCESSOR_GONE)
		upgrade_settle(m);
}

static void loop(struct master *m)
{
	while (!is_over(m)) {
		wait_for_events(m);
		stop_advance(m);

		int64_t now_us = clock_mono_us();
		if (now_us < m->next_tick_us)
			continue;
		bool replacing = m->stage < ROLE_STAGE_COUNT && tick(m, now_us);
		upgrade_check(m, now_us);
		m->next_tick_us = now_us + (replacing ? REPLACING_TICK_US : TICK_US);
	}
}

int master_main(struct settings *settings, const struct master_start *start)
{
	AUTO(master_free)
	struct master m = {
		.start = start,
		.settings = settings,
		.program_fds = {[0 ... CHILD_ROLE_COUNT - 1] = -1},
		.fds = {[0 ... DESCRIPTOR_COUNT - 1] = -1},
		.successor = SUCCESSOR_NONE,
		.standing = start->inherited != NULL ? SUCCESSOR : IN_CHARGE,
		.stage = -1,
	};
	struct err err;

	log_init("master", (enum log_level)log_level_parse(settings->conf->log_level));
	if (startup_run(&m, &err) < 0) {
		log_error("berthd does not start: %s", err.msg);
		return 1;
	}
	log_info("berthd " PACKAGE_VERSION " starts, instance '%s'", settings->conf->master_instance);
	loop(&m);
	log_info("stopped");
	return 0;
}
