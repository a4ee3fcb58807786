#include "master/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "master/resources/layout.h"
#include "master/resources/notify.h"
#include "master/resources/pidfile.h"

#define OOM_SCORE_ADJ "-900" /* without the master no process would be replaced */

/* The program file is kept open, so that a newer file at the same path is used only at the next start. Its number must not be
 * one of inherited.h. */
static int open_program(struct master *m, enum child_role role, struct err *err)
{
	static const char self[] = "/proc/self/exe";
	char where[PATH_MAX] = "";
	const char *name = roles[role].program;

	if (name != NULL && readlink(self, where, sizeof(where) - 1) < 0)
		return err_set(err, errno, "read %s", self);
	AUTO(mem_free) char *path = name != NULL ? mem_printf("%s/%s", dirname(where), name) : mem_strdup(self);
	AUTO(fd_close) int low_fd = open(path, O_PATH | O_CLOEXEC);
	m->program_fds[role] = low_fd < 0 ? -1 : fcntl(low_fd, F_DUPFD_CLOEXEC, INHERITED_FD_LAST + 1);
	return m->program_fds[role] < 0 ? err_set(err, errno, "open '%s'", path) : 0;
}

static int init_process(struct master *m, struct err *err)
{
	umask(077);
	signal(SIGPIPE, SIG_IGN); /* the platform must survive the end of a reader of its log */
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

	if (m->standing != SUCCESSOR)
		return 0;
	if (handover_parse(text, &m->inherited, err) < 0)
		return err_prefix(err, "inherited");
	m->fds[FD_PREDECESSOR] = handover_take(&m->inherited, SUCCESSOR_LINK);
	return m->fds[FD_PREDECESSOR] < 0 ? err_set(err, 0, "inherited no " SUCCESSOR_LINK) : 0;
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

	m->fds[FD_RUN_DIR] = layout_run_dir(conf, &m->identity, err);
	if (m->fds[FD_RUN_DIR] < 0)
		return -1;
	m->fds[FD_PID] = m->standing == SUCCESSOR ? handover_take(&m->inherited, "pid") : pidfile_lock(m->fds[FD_RUN_DIR], err);
	if (m->standing == SUCCESSOR && pidfile_check_inherited(m->fds[FD_RUN_DIR], m->fds[FD_PID], err) < 0)
		fd_close(&m->fds[FD_PID]);
	if (m->fds[FD_PID] < 0)
		return err_prefix(err, "%s", conf->master_run_dir);
	return 0;
}

/* Two poolmgrs respect each other's sandboxes only if they have the same state directory. */
static int init_state_dir(struct master *m, struct err *err)
{
	AUTO(fd_close) int before_fd = handover_take(&m->inherited, "state");
	struct stat ours, before;

	m->fds[FD_STATE_DIR] = layout_state_dir(m->settings->conf, &m->identity, before_fd >= 0, err);
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
	struct handover *inherited = m->standing == SUCCESSOR ? &m->inherited : NULL;

	if (listen_open(m->fds[FD_RUN_DIR], conf, &m->identity, inherited, m->listeners, err) < 0)
		return err_prefix(err, "%s", conf->master_run_dir);
	if (m->inherited.count > 0) /* nginx may continue to use it for a while */
		return err_set(err, 0, "'%s' would not be served any more: only a restart changes that",
			       m->inherited.items[0].name);
	return 0;
}

/* The steps, in this order. */
static int (*const inits[])(struct master *, struct err *) = {
	init_process, init_inheritance, init_identity, init_run_dir, init_state_dir, init_signals, init_shared, init_sockets,
};

int startup_run(struct master *m, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(inits); i++)
		if (inits[i](m, err) < 0)
			return -1;
	return 0;
}
