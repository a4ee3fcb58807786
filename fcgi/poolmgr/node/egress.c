#include "poolmgr/node/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

const char *egress_directory = "/run/berth-egress";

static char *path;
static void (*on_change)(bool is_there);
static struct err problem; /* msg "": none */
static struct stat
	seen; /* the file's times when it last changed; they are only compared with each other, because its clock may jump */
static int64_t changed_us; /* when the change was noticed; monotonic */

/* Notices whether the file was written since the last look. */
static bool is_stale(const struct stat *now, int64_t now_us)
{
	if (now->st_ino != seen.st_ino || now->st_mtim.tv_sec != seen.st_mtim.tv_sec ||
	    now->st_mtim.tv_nsec != seen.st_mtim.tv_nsec) {
		seen = *now;
		changed_us = now_us;
	}
	return now_us - changed_us > EGRESS_STALE_US;
}

static int look(int64_t now_us, struct err *err)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[160];
	struct stat now;

	if (fd < 0)
		return err_set(err, 0, "the network for egress does not exist: run scripts/egress up on this node");
	ssize_t n = read(fd, text, sizeof(text) - 1);
	if (n <= 0 || fstat(fd, &now) < 0)
		return err_set(err, 0, "the network for egress does not report the state of its rules");
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (is_stale(&now, now_us))
		return err_set(err, 0,
			       "the rules of the network for egress are not watched: run scripts/egress watch on this node");
	if (strcmp(text, "ok") != 0)
		return err_set(err, 0, "the network for egress does not work: %s", text);
	return 0;
}

void egress_tick(int64_t now_us)
{
	bool was_there = problem.msg[0] == '\0';
	struct err err = {0};

	bool is_there = look(now_us, &err) == 0;
	if (strcmp(problem.msg, err.msg) != 0)
		log_line(was_there ? LOG_WARN : LOG_INFO, "%s", is_there ? "the network for egress is available" : err.msg);
	problem = err;
	if (was_there != is_there)
		on_change(is_there);
}

const char *egress_problem(void)
{
	return problem.msg[0] != '\0' ? problem.msg : NULL;
}

void egress_init(const struct conf *conf, void (*changed)(bool is_there))
{
	mem_free(&path);
	path = mem_printf("%s/%s/state", egress_directory, conf->master_instance);
	on_change = changed;
	seen = (struct stat){0};
	err_set(&problem, 0, "the network for egress has not been checked yet");
}
