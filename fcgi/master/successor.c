#include "master/successor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/resources/notify.h"

/* Runs in the new process. It has its own session, because it is independent of the terminal or shell of the first one. */
static void become(const char *program, const char *config, const struct bequest *bequest)
{
	struct err err = {0};
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	notify_pass_on();
	AUTO(mem_free) char *inherited = bequest_leave_new(bequest, &err);
	AUTO(mem_free) char *inherit = mem_printf("--inherit=%s", inherited ? inherited : "");
	AUTO(mem_free) char *option = mem_printf("--config=%s", config);
	char **argv = (char *[]){(char *)program, option, inherit, NULL};

	if (inherited == NULL) {
		log_error("%s", err.msg);
		return;
	}
	if (strchr(program, '/') != NULL)
		execv(program, argv);
	else
		execvp(program, argv);
	log_error("execute '%s': %s", program, strerror(errno));
}

int heir_start(struct heir *heir, const char *program, const char *config, struct bequest *given, struct err *err)
{
	AUTO(bequest_free) struct bequest bequest = *given;
	int ends[2];

	*given = (struct bequest){0};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return err_set(err, errno, "link to the new berthd");
	AUTO(fd_close) int ours = ends[0];
	AUTO(fd_close) int its = ends[1];
	if (bequest_add(&bequest, HEIR_LINK, its, err) < 0)
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return err_set(err, errno, "fork");
	if (pid == 0) {
		become(program, config, &bequest);
		_exit(1);
	}
	*heir = (struct heir){.pid = pid, .link_fd = TAKE_FD(ours)};
	return 0;
}

void heir_end(struct heir *heir, int64_t again_at_us)
{
	kill(heir->pid, heir->ending ? SIGKILL : SIGTERM);
	heir->end_at_us = heir->ending ? INT64_MAX : again_at_us;
	heir->ending = true;
}

enum heir_word heir_hear(int *link_fd)
{
	uint8_t word = HEIR_NOTHING;
	ssize_t n = *link_fd < 0 ? -1 : recv(*link_fd, &word, 1, MSG_DONTWAIT);

	if (*link_fd < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return HEIR_NOTHING;
	if (n > 0)
		return word == HEIR_READY || word == HEIR_HURRY ? (enum heir_word)word : HEIR_NOTHING;
	fd_close(link_fd);
	return HEIR_GONE;
}

void heir_say(int link_fd, enum heir_word word)
{
	uint8_t byte = (uint8_t)word;

	if (link_fd >= 0 && send(link_fd, &byte, 1, MSG_NOSIGNAL) < 0)
		log_debug("the berthd before does not listen: %s", strerror(errno));
}
