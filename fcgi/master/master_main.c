/*
 * The master: the first process, and the only one that stays root.
 *
 * Started by  a person, a script or the service manager; stays in the foreground.
 * Does        opens the sockets, starts the children, replaces those that die, sizes the pools. It reads nothing that came over
 *             a network, knows no SQL and never talks to Docker.
 * Ended by    SIGTERM or SIGINT: the children finish stage by stage (role.c), late ones are killed. A second signal ends the
 *             patience with them. SIGHUP reads the configuration again.
 * Upgrade     SIGUSR2 starts the program anew, as an heir (heir.h). It inherits the sockets of nginx and the lock on the pid
 *             file, starts children of its own and takes over when all are ready: its workers begin to accept, and what is in
 *             the run directory is its. This one ends then, without haste. An heir that fails before that costs nothing.
 * Its crash   closes the life pipe; every child sees that, finishes what it holds and exits. Sockets and the lock on the pid
 *             file are gone with it, so that a new master can start at once.
 */
#include "master/master_main.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/bequest.h"
#include "master/child.h"
#include "master/crew.h"
#include "master/descriptor.h"
#include "master/estate.h"
#include "master/heir.h"
#include "master/notify.h"
#include "master/pidfile.h"
#include "master/role.h"
#include "master/throttle.h"

#define TICK_US       100000
#define OOM_SCORE_ADJ "-900" /* without the master nobody repairs anything */

enum replacement {
	REPLACE_NO,
	REPLACE_WANTED, /* waits for its turn: one pool after the other */
	REPLACE_RUNS,   /* the generation before still works, until this one is up */
};

/* Whose is what is in the run directory? */
enum standing {
	HEIR,      /* the berthd's before, until this one takes over */
	IN_CHARGE, /* ours */
	RETIRED,   /* the heir's that has taken over */
};

struct team {
	struct throttle throttle;
	unsigned generation;
	enum replacement replacement;
	int64_t shrunk_at_us;
};

struct master {
	const struct master_start *start;
	struct settings *settings;
	struct identity identity;
	struct scoreboard *board;
	struct crew *crew;
	struct team teams[CHILD_ROLE_COUNT];
	int program_fds[CHILD_ROLE_COUNT]; /* what each role executes */
	int fds[DESCRIPTOR_COUNT];
	struct listeners listeners[LISTEN_KINDS];
	struct bequest inherited; /* what is left of it */
	struct heir heir;
	enum standing standing;
	bool patient;                    /* stopping: requests in flight have all their time */
	bool ready;                      /* said so to the service manager */
	int stage;                       /* of the stop; -1 while running, ROLE_STAGE_COUNT when done */
	const struct role_stage *stages; /* in which order */
	int64_t next_tick_us;
};

/* What is shared with another berthd goes on there. */
static void let_go(struct master *m)
{
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		listen_close(&m->listeners[kind]);
	fd_close(&m->fds[FD_PID]);
}

/* An heir that will not take over. */
static void step_back(struct master *m)
{
	listen_step_back(m->fds[FD_RUN_DIR]);
	let_go(m);
	fd_close(&m->fds[FD_TESTATOR]);
}

static void master_free(struct master *m)
{
	if (m->standing == HEIR)
		step_back(m);
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		listen_refuse(m->fds[FD_RUN_DIR], (enum listen_kind)kind, &m->listeners[kind]);
	pidfile_remove(m->fds[FD_RUN_DIR], &m->fds[FD_PID]);
	descriptor_close(m->fds);
	fd_close(&m->heir.link_fd);
	for (int role = 0; role < CHILD_ROLE_COUNT; role++)
		fd_close(&m->program_fds[role]);
	bequest_free(&m->inherited);
	scoreboard_close(&m->board);
	identity_free(&m->identity);
	mem_free(&m->crew);
}

/* Start-up, in this order. */

/* Held open: a newer program at the same path is for the next start. The number must not be one of the heritage's. */
static int open_program(struct master *m, enum child_role role, struct err *err)
{
	static const char self[] = "/proc/self/exe";
	char where[PATH_MAX] = "";
	const char *name = roles[role].program;

	if (name != NULL && readlink(self, where, sizeof(where) - 1) < 0)
		return err_set(err, errno, "read %s", self);
	AUTO(mem_free) char *path = name != NULL ? mem_printf("%s/%s", dirname(where), name) : mem_strdup(self);
	AUTO(fd_close) int low_fd = open(path, O_PATH | O_CLOEXEC);
	m->program_fds[role] = low_fd < 0 ? -1 : fcntl(low_fd, F_DUPFD_CLOEXEC, HERITAGE_FD_LAST + 1);
	return m->program_fds[role] < 0 ? err_set(err, errno, "open '%s'", path) : 0;
}

static int init_process(struct master *m, struct err *err)
{
	umask(077);
	signal(SIGPIPE, SIG_IGN); /* a reader of the log that goes away does not take the platform along */
	notify_init();

	for (int role = 0; role < CHILD_ROLE_COUNT; role++)
		if (open_program(m, (enum child_role)role, err) < 0)
			return -1;
	AUTO(fd_close) int oom_fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (oom_fd < 0 || write(oom_fd, OOM_SCORE_ADJ, strlen(OOM_SCORE_ADJ)) < 0)
		log_debug("oom_score_adj: %s", strerror(errno));
	return 0;
}

static int init_inheritance(struct master *m, struct err *err)
{
	const char *text = m->start->inherited;

	if (m->standing != HEIR)
		return 0;
	if (bequest_parse(text, &m->inherited, err) < 0)
		return err_prefix(err, "inherited");
	m->fds[FD_TESTATOR] = bequest_take(&m->inherited, HEIR_LINK);
	return m->fds[FD_TESTATOR] < 0 ? err_set(err, 0, "inherited no " HEIR_LINK) : 0;
}

static int init_identity(struct master *m, struct err *err)
{
	if (identity_resolve(m->settings->conf, &m->identity, err) < 0)
		return -1;
	if (!m->identity.can_switch)
		log_warn("not started as root: every process runs as user id %d, and can do what each other one can",
			 (int)geteuid());
	return 0;
}

static int init_run_dir(struct master *m, struct err *err)
{
	const struct conf *conf = m->settings->conf;

	m->fds[FD_RUN_DIR] = estate_run_dir(conf, &m->identity, err);
	if (m->fds[FD_RUN_DIR] < 0)
		return -1;
	m->fds[FD_PID] = m->standing == HEIR ? bequest_take(&m->inherited, "pid") : pidfile_lock(m->fds[FD_RUN_DIR], err);
	if (m->standing == HEIR && pidfile_check_inherited(m->fds[FD_RUN_DIR], m->fds[FD_PID], err) < 0)
		fd_close(&m->fds[FD_PID]);
	if (m->fds[FD_PID] < 0)
		return err_prefix(err, "%s", conf->master_run_dir);
	return 0;
}

/* Two poolmgrs with one state directory respect each other's sandboxes, with two they would not. */
static int init_state_dir(struct master *m, struct err *err)
{
	AUTO(fd_close) int before_fd = bequest_take(&m->inherited, "state");
	struct stat ours, before;

	m->fds[FD_STATE_DIR] = estate_state_dir(m->settings->conf, &m->identity, before_fd >= 0, err);
	if (m->fds[FD_STATE_DIR] < 0)
		return -1;
	if (before_fd < 0)
		return 0;
	if (fstat(m->fds[FD_STATE_DIR], &ours) < 0 || fstat(before_fd, &before) < 0)
		return err_set(err, errno, "state directory");
	if (ours.st_dev != before.st_dev || ours.st_ino != before.st_ino)
		return err_set(err, 0, "%s: it is not the state directory of the berthd that runs: only a restart changes that",
			       m->settings->conf->master_state_dir);
	return 0;
}

static int init_signals(struct master *m, struct err *err)
{
	static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		sigaddset(&set, wanted[i]);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return err_set(err, errno, "block signals");
	m->fds[FD_SIGNALS] = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->fds[FD_SIGNALS] < 0 ? err_set(err, errno, "signalfd") : 0;
}

static int init_shared(struct master *m, struct err *err)
{
	int life[2], warden[2];

	if (settings_share(m->settings, err) < 0 || scoreboard_create(CREW_SLOTS, &m->board, &m->fds[FD_SCOREBOARD], err) < 0)
		return -1;
	m->crew = mem_alloc(sizeof(*m->crew));
	m->crew->board = m->board;
	if (pipe2(life, O_CLOEXEC) < 0)
		return err_set(err, errno, "life pipe");
	m->fds[FD_LIFE] = life[0];
	m->fds[FD_LIFE_HELD] = life[1];
	m->fds[FD_TURN] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->fds[FD_GATE] = eventfd(m->standing == IN_CHARGE, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->fds[FD_TURN] < 0 || m->fds[FD_GATE] < 0)
		return err_set(err, errno, "eventfd");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, warden) < 0)
		return err_set(err, errno, "socket of the warden");
	m->fds[FD_POOLMGR] = warden[0];
	m->fds[FD_WARDEN] = warden[1];
	return 0;
}

static int init_sockets(struct master *m, struct err *err)
{
	const struct conf *conf = m->settings->conf;
	struct bequest *inherited = m->standing == HEIR ? &m->inherited : NULL;

	if (listen_open(m->fds[FD_RUN_DIR], conf, &m->identity, inherited, m->listeners, err) < 0)
		return err_prefix(err, "%s", conf->master_run_dir);
	if (m->inherited.count > 0) /* nginx may go on using it for a while */
		return err_set(err, 0, "'%s' would not be served any more: only a restart changes that",
			       m->inherited.items[0].name);
	return 0;
}

static int (*const inits[])(struct master *, struct err *) = {
	init_process, init_inheritance, init_identity, init_run_dir, init_state_dir, init_signals, init_shared, init_sockets,
};

/* Keeping the pools as large as they should be. */

static void give_fds(const struct master *m, enum child_role role, int numbers[HERITAGE_FD_LAST + 1])
{
	enum listen_kind listens = roles[role].listens;

	descriptor_give(m->fds, role, numbers);
	numbers[HERITAGE_CONF_FD] = roles[role].stores ? m->settings->read_fd : m->settings->bare_fd;
	for (int i = 0; listens != LISTEN_NONE && i < m->listeners[listens].count; i++)
		numbers[HERITAGE_LISTEN_FD + i] = m->listeners[listens].fds[i];
}

static int start_child(struct master *m, enum child_role role, struct err *err)
{
	int slot = crew_free_slot(m->crew);

	if (slot < 0)
		return err_set(err, 0, "all %d places are taken", CREW_SLOTS);
	struct child_plan plan = {
		.role = role,
		.slot = slot,
		.program_fd = m->program_fds[role],
		.fds = {[0 ... HERITAGE_FD_LAST] = -1},
		.identity = &m->identity,
	};
	give_fds(m, role, plan.fds);
	pid_t pid = child_spawn(&plan, err);
	if (pid < 0)
		return -1;
	crew_add(m->crew, slot, role, m->teams[role].generation, pid);
	log_debug("%s/%d (pid %d) starts", child_role_name(role), slot, (int)pid);
	return 0;
}

static void start_missing(struct master *m, enum child_role role, int count, int64_t now_us)
{
	struct throttle *throttle = &m->teams[role].throttle;
	struct err err;

	if (!throttle_allows(throttle, now_us))
		return;
	for (int i = 0; i < count; i++) {
		if (start_child(m, role, &err) == 0)
			continue;
		/* Likely the machine is short of something: as if the process had started and failed. */
		log_error("%s cannot be started: %s", child_role_name(role), err.msg);
		throttle_on_exit(throttle, false, now_us, clock_mono_us(), m->settings->conf->master_restart_delay_ms * 1000);
		return;
	}
}

static int64_t stop_deadline_us(const struct master *m)
{
	return clock_mono_us() + m->settings->conf->master_stop_timeout_ms * 1000;
}

/*
 * May there be processes of that role? Not once its stage of the stop has begun, nor when there is another berthd that has
 * them: workers whose poolmgr dies go to that one's.
 */
static bool is_wanted(const struct master *m, enum child_role role)
{
	if (m->stage >= 0 && m->standing != IN_CHARGE)
		return false;
	for (int i = 0; i <= m->stage && i < ROLE_STAGE_COUNT; i++)
		if (m->stages[i].has[role])
			return false;
	return true;
}

/* Returns whether the role is up. */
static bool adjust(struct master *m, enum child_role role, int64_t now_us)
{
	struct team *team = &m->teams[role];
	struct sizing_limits limits = role_limits(role, m->settings->conf);
	struct sizing_count count = crew_count(m->crew, role, team->generation);

	start_missing(m, role, sizing_missing(&limits, &count), now_us);
	if (sizing_shrink(&limits, &count, now_us, &team->shrunk_at_us))
		crew_stop_idle(m->crew, role);
	return sizing_is_up(&limits, &count);
}

/* An heir is ready. In this order: when the one before is told, all who look for berthd find this one. */
static int take_over(struct master *m, struct err *err)
{
	if (listen_take_over(m->fds[FD_RUN_DIR], err) < 0 || pidfile_write(m->fds[FD_PID], err) < 0)
		return -1;
	m->standing = IN_CHARGE;
	eventfd_write(m->fds[FD_GATE], 1);
	heir_say(m->fds[FD_TESTATOR], HEIR_READY);
	return 0;
}

static void stop(struct master *m, const char *why);

static void become_ready(struct master *m)
{
	struct err err;

	if (m->standing == HEIR && take_over(m, &err) < 0) {
		log_error("cannot take over: %s", err.msg);
		stop(m, "it cannot take over");
		return;
	}
	m->ready = true;
	log_info("ready%s: sockets in '%s'", m->start->inherited ? ", and has taken over" : "",
		 m->settings->conf->master_run_dir);
	if (notify_send("READY=1", &err) < 0)
		log_warn("%s", err.msg);
}

/* Moves a replacement on by a step; returns whether it still runs. */
static bool replace(struct master *m, enum child_role role, bool up, bool others_run)
{
	struct team *team = &m->teams[role];

	if (team->replacement == REPLACE_RUNS && up) {
		crew_stop_older(m->crew, role, team->generation, stop_deadline_us(m));
		team->replacement = REPLACE_NO;
		log_info("reload: new %s workers have taken over", child_role_name(role));
	}
	if (team->replacement == REPLACE_WANTED && !others_run) {
		team->generation++;
		team->replacement = REPLACE_RUNS;
	}
	return team->replacement == REPLACE_RUNS;
}

static void tick(struct master *m, int64_t now_us)
{
	bool all_up = true, replacing = false;

	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		bool up = is_wanted(m, role) && adjust(m, role, now_us);
		replacing = replace(m, role, up, replacing) || replacing;
		all_up = all_up && up;
	}
	if (all_up && !m->ready)
		become_ready(m);
	crew_kill_late(m->crew, now_us);
	crew_kill_stuck(m->crew, now_us, m->settings->conf->master_stuck_after_ms * 1000);
}

/* Signals. */

static void on_heir(struct master *m);

static void on_heir_died(struct master *m, const char *how)
{
	on_heir(m); /* what it has said before counts */
	if (m->heir.pid == 0)
		return;
	log_error("upgrade failed: the new berthd (pid %d) %s; this one goes on", (int)m->heir.pid, how);
	fd_close(&m->heir.link_fd);
	m->heir = HEIR_NONE;
}

static void reap_all(struct master *m)
{
	struct crew_death death;

	while (crew_reap(m->crew, &death)) {
		if (death.pid == m->heir.pid)
			on_heir_died(m, death.how);
		if (death.role == CHILD_ROLE_COUNT)
			continue;
		if (death.role == CHILD_INVOKE)
			eventfd_write(m->fds[FD_TURN], 1); /* it may have had a turn */
		if (!death.asked)
			throttle_on_exit(&m->teams[death.role].throttle, death.success, death.started_us, clock_mono_us(),
					 m->settings->conf->master_restart_delay_ms * 1000);
	}
}

static void reload(struct master *m)
{
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	if (m->stage >= 0)
		return;
	if (settings_reload(m->settings, &ignored, &err) < 0) {
		log_error("reload refused, the old configuration stays: %s", err.msg);
		return;
	}
	if (ignored.len > 0)
		log_warn("reload: only a restart changes %s", buf_str(&ignored));
	log_init("master", (enum log_level)log_level_parse(m->settings->conf->log_level));
	log_info("reload: configuration read from '%s'", m->settings->path);
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		if (roles[role].at_reload == RELOAD_SIGNAL) {
			crew_signal(m->crew, role, SIGHUP);
			continue;
		}
		if (roles[role].at_reload == RELOAD_REPLACE)
			m->teams[role].replacement = REPLACE_WANTED;
	}
}

static void begin_stage(struct master *m)
{
	const struct role_stage *stage = &m->stages[m->stage];
	int64_t deadline_us = m->patient && m->stage == 0 ? INT64_MAX : stop_deadline_us(m);

	log_debug("stopping: %s", stage->name);
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		if (!stage->has[role])
			continue;
		/* Signal first: whoever wakes up because its socket is shut already knows why. */
		crew_stop_older(m->crew, role, m->teams[role].generation + 1, deadline_us);
		if (roles[role].listens != LISTEN_NONE)
			listen_refuse(m->fds[FD_RUN_DIR], roles[role].listens, &m->listeners[roles[role].listens]);
	}
}

/* The workers of the berthd before are in the first one, too: what they still write is for this collector to store. */
static bool stage_is_over(const struct master *m)
{
	if (m->stage == 0 && m->fds[FD_TESTATOR] >= 0)
		return false;
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		if (m->stages[m->stage].has[role] && crew_has(m->crew, role))
			return false;
	return true;
}

static void advance_stop(struct master *m)
{
	while (m->stage >= 0 && m->stage < ROLE_STAGE_COUNT && stage_is_over(m))
		if (++m->stage < ROLE_STAGE_COUNT)
			begin_stage(m);
}

/* Those who work for the same clients: the one before ends sooner, and one that was to come after does not. */
static void stop_others(struct master *m)
{
	if (m->standing != HEIR)
		heir_say(m->fds[FD_TESTATOR], HEIR_HURRY);
	if (m->heir.pid != 0)
		heir_end(&m->heir, stop_deadline_us(m));
}

static void stop(struct master *m, const char *why)
{
	struct err err;

	stop_others(m);
	if (m->stage < 0) {
		log_info("%s: stopping", why);
		if (m->standing == HEIR)
			step_back(m);
		else if (notify_send("STOPPING=1", &err) < 0)
			log_warn("%s", err.msg);
		m->stage = 0;
		begin_stage(m);
	} else if (m->patient) {
		log_info("%s: requests in flight have less time", why);
		m->patient = false;
		if (m->stage < ROLE_STAGE_COUNT)
			begin_stage(m);
	} else {
		log_warn("%s again: not waiting any longer", why);
		crew_hurry(m->crew);
	}
}

/* Upgrade. */

static int bequeath(const struct master *m, struct bequest *bequest, struct err *err)
{
	if (bequest_add(bequest, "pid", m->fds[FD_PID], err) < 0 ||
	    bequest_add(bequest, "state", m->fds[FD_STATE_DIR], err) < 0)
		return -1;
	return listen_bequeath(m->listeners, bequest, err);
}

static void start_upgrade(struct master *m)
{
	AUTO(bequest_free) struct bequest bequest = {0};
	struct err err;

	if (m->stage >= 0 || !m->ready || m->heir.pid != 0) {
		log_warn("SIGUSR2: %s", m->stage >= 0 ? "this berthd is stopping"
					: !m->ready   ? "this berthd is not ready itself"
						      : "an upgrade is under way");
		return;
	}
	if (bequeath(m, &bequest, &err) < 0 || heir_start(&m->heir, m->start->program, m->settings->path, &bequest, &err) < 0) {
		log_error("upgrade failed: %s; this one goes on", err.msg);
		return;
	}
	m->heir.end_at_us = clock_mono_us() + m->settings->conf->master_upgrade_timeout_ms * 1000;
	log_info("SIGUSR2: '%s' starts as pid %d and is to take over", m->start->program, (int)m->heir.pid);
}

/*
 * The berthd before is gone, and all its children, which may have been other users. Removing what they had may take a while: in
 * a process of its own, whose end nobody waits for.
 */
static void settle(struct master *m)
{
	struct err err;

	pid_t pid = fork();
	if (pid > 0)
		return;
	if (pid < 0)
		err_set(&err, errno, "fork");
	if (pid < 0 || estate_settle(m->fds[FD_STATE_DIR], m->settings->conf, &m->identity, &err) < 0)
		log_error("what the berthd before has left is not ours yet: %s", err.msg);
	if (pid == 0)
		_exit(0);
}

/* The heir has taken over, and what is in the run directory is its. */
static void hand_over(struct master *m)
{
	AUTO(mem_free) char *main_pid = mem_printf("MAINPID=%d", (int)m->heir.pid);
	struct err err;

	log_info("the new berthd (pid %d) has taken over: stopping when requests in flight are done", (int)m->heir.pid);
	if (notify_send(main_pid, &err) < 0)
		log_warn("%s", err.msg);
	let_go(m);
	m->heir.pid = 0;
	m->standing = RETIRED;
	m->patient = true;
	m->stages = role_handover;
	m->stage = 0;
	begin_stage(m);
}

static void on_heir(struct master *m)
{
	enum heir_word word = heir_hear(&m->heir.link_fd);

	if (word == HEIR_READY && m->stage < 0)
		hand_over(m);
	else if (word == HEIR_READY) /* too late: it was told to stop, and waits for this one */
		m->heir.pid = 0;
	else if (word == HEIR_HURRY && m->standing == RETIRED)
		stop(m, "the new berthd is told to stop");
}

static void check_heir(struct master *m, int64_t now_us)
{
	if (m->heir.pid == 0 || now_us < m->heir.end_at_us)
		return;
	log_error("upgrade failed: the new berthd (pid %d) %s", (int)m->heir.pid,
		  m->heir.ending ? "did not end in time and is killed" : "was not ready within master.upgrade_timeout_ms");
	heir_end(&m->heir, stop_deadline_us(m));
}

static void on_signal(struct master *m, int signal)
{
	AUTO(mem_free) char *name = mem_printf("SIG%s", sigabbrev_np(signal));

	switch (signal) {
	case SIGCHLD:
		reap_all(m);
		break;
	case SIGHUP:
		reload(m);
		break;
	case SIGUSR2:
		start_upgrade(m);
		break;
	default:
		stop(m, name);
	}
}

static void handle_signals(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->fds[FD_SIGNALS], &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(m, (int)info.ssi_signo);
}

/* Nobody is left, nor anybody who was to come. */
static bool is_over(const struct master *m)
{
	return m->stage == ROLE_STAGE_COUNT && m->heir.pid == 0;
}

static void wait_for_events(struct master *m)
{
	struct pollfd fds[] = {{.fd = m->fds[FD_SIGNALS], .events = POLLIN},
			       {.fd = m->heir.link_fd, .events = POLLIN},
			       {.fd = m->fds[FD_TESTATOR], .events = POLLIN}};

	if (poll(fds, ARRAY_SIZE(fds), clock_left_ms(m->next_tick_us)) <= 0)
		return;
	handle_signals(m);
	on_heir(m);
	if (heir_hear(&m->fds[FD_TESTATOR]) == HEIR_GONE)
		settle(m);
}

static void loop(struct master *m)
{
	while (!is_over(m)) {
		wait_for_events(m);
		advance_stop(m);

		int64_t now_us = clock_mono_us();
		if (now_us < m->next_tick_us)
			continue;
		if (m->stage < ROLE_STAGE_COUNT)
			tick(m, now_us);
		check_heir(m, now_us);
		m->next_tick_us = now_us + TICK_US;
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
		.heir = HEIR_NONE,
		.standing = start->inherited != NULL ? HEIR : IN_CHARGE,
		.stage = -1,
		.stages = role_stop,
	};
	struct err err;

	log_init("master", (enum log_level)log_level_parse(settings->conf->log_level));
	for (size_t i = 0; i < ARRAY_SIZE(inits); i++) {
		if (inits[i](&m, &err) < 0) {
			log_error("berthd does not start: %s", err.msg);
			return 1;
		}
	}
	log_info("berthd " PACKAGE_VERSION " starts, instance '%s'", settings->conf->master_instance);
	loop(&m);
	log_info("stopped");
	return 0;
}
