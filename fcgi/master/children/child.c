#include "master/children/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#define CHILD_NOFILE 65536

static int reset_signals(const struct child_plan *plan, struct err *err)
{
	sigset_t early;

	(void)plan;
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL); /* fails for the few that cannot be changed */
	signal(SIGINT, SIG_IGN);    /* ^C reaches all processes of a terminal, but only the master decides */
	sigemptyset(&early);
	sigaddset(&early, SIGTERM);
	sigaddset(&early, SIGHUP);
	if (sigprocmask(SIG_SETMASK, &early, NULL) < 0)
		return err_set(err, errno, "block signals");
	return 0;
}

/* stdout and stderr are those of the master. */
static bool is_output(int number)
{
	return number == STDOUT_FILENO || number == STDERR_FILENO;
}

/* All descriptors are first moved to higher numbers, because one may have the number that another one needs. */
static int arrange_fds(const struct child_plan *plan, struct err *err)
{
	int fds[INHERITED_FD_LAST + 1];

	memcpy(fds, plan->fds, sizeof(fds));
	fds[STDIN_FILENO] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fds[STDIN_FILENO] < 0)
		return err_set(err, errno, "open /dev/null");
	for (int number = 0; number <= INHERITED_FD_LAST; number++) {
		if (fds[number] < 0 || is_output(number))
			continue;
		fds[number] = fcntl(fds[number], F_DUPFD_CLOEXEC, INHERITED_FD_LAST + 1);
		if (fds[number] < 0)
			return err_set(err, errno, "duplicate descriptor %d", number);
	}
	for (int number = 0; number <= INHERITED_FD_LAST; number++) {
		if (is_output(number))
			continue;
		if (fds[number] < 0)
			close(number);
		else if (dup2(fds[number], number) < 0)
			return err_set(err, errno, "duplicate descriptor %d", number);
	}
	if (close_range(INHERITED_FD_LAST + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_set(err, errno, "close_range");
	return 0;
}

static int set_limits(const struct child_plan *plan, struct err *err)
{
	struct rlimit limit;
	char score[16];

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_set(err, errno, "limit of open files");
	limit.rlim_cur = MIN(limit.rlim_max, CHILD_NOFILE);
	limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_set(err, errno, "limit of open files");

	/* These are only preferences; if they cannot be set, the kernel's defaults are good enough. */
	int niceness = roles[plan->role].niceness;
	if (niceness != 0 && setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + niceness) < 0)
		log_debug("niceness of slot %d: %s", plan->slot, strerror(errno));
	if (roles[plan->role].batch && sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}) < 0)
		log_debug("scheduling policy of slot %d: %s", plan->slot, strerror(errno));
	AUTO(fd_close) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int len = snprintf(score, sizeof(score), "%d", roles[plan->role].oom_score_adj);
	if (fd < 0 || write(fd, score, (size_t)len) < 0)
		log_debug("oom_score_adj %s of slot %d: %s", score, plan->slot, strerror(errno));
	return 0;
}

static int drop_privileges(const struct child_plan *plan, struct err *err)
{
	umask(077);
	if (chdir("/") < 0)
		return err_set(err, errno, "chdir '/'");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, errno, "no_new_privs");
	if (!plan->identity->can_switch)
		return 0;
	return identity_assume(plan->identity, plan->role, roles[plan->role].privilege, err);
}

static int become(const struct child_plan *plan, struct err *err)
{
	const char *name = child_role_name(plan->role);
	AUTO(mem_free) char *title = mem_printf("berthd: %s/%d", name, plan->slot);
	AUTO(mem_free) char *role = mem_printf("--child=%s", name);
	AUTO(mem_free) char *slot = mem_printf("--slot=%d", plan->slot);
	const struct identity *id = plan->identity;
	AUTO(mem_free)
	char *clients = mem_printf("--clients=%u,%u", id->can_switch ? id->accounts[CHILD_INVOKE].uid : geteuid(),
				   id->can_switch ? id->accounts[CHILD_CONTROL].uid : geteuid());
	char *argv[] = {title, role, slot, clients, NULL};

	fexecve(plan->program_fd, argv, environ);
	return err_set(err, errno, "execute the program");
}

/* The steps in the new process, in this order: those that need root come before root is given up. */
static int (*const steps[])(const struct child_plan *, struct err *) = {
	reset_signals, arrange_fds, set_limits, drop_privileges, become,
};

pid_t child_spawn(const struct child_plan *plan, struct err *err)
{
	struct err why = {0};

	assert(plan->program_fd > INHERITED_FD_LAST);
	pid_t pid = fork();
	if (pid < 0)
		return err_set(err, errno, "fork");
	if (pid > 0)
		return pid;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i](plan, &why) < 0)
			break;
	log_error("%s/%d cannot be started: %s", child_role_name(plan->role), plan->slot, why.msg);
	_exit(1);
}
