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
static void become(const char *program, const char *config, const struct handover *handover)
{
	struct err err = {0};
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	notify_pass_on();
	AUTO(mem_free) char *inherited = handover_text_new(handover, &err);
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

int successor_start(struct successor *successor, const char *program, const char *config, struct handover *given,
		    struct err *err)
{
	AUTO(handover_free) struct handover handover = *given;
	int ends[2];

	*given = (struct handover){0};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return err_set(err, errno, "link to the new berthd");
	AUTO(fd_close) int ours = ends[0];
	AUTO(fd_close) int its = ends[1];
	if (handover_add(&handover, SUCCESSOR_LINK, its, err) < 0)
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return err_set(err, errno, "fork");
	if (pid == 0) {
		become(program, config, &handover);
		_exit(1);
	}
	*successor = (struct successor){.pid = pid, .link_fd = TAKE_FD(ours)};
	return 0;
}

void successor_end(struct successor *successor, int64_t again_at_us)
{
	kill(successor->pid, successor->ending ? SIGKILL : SIGTERM);
	successor->end_at_us = successor->ending ? INT64_MAX : again_at_us;
	successor->ending = true;
}

enum successor_word successor_receive(int *link_fd)
{
	uint8_t word = SUCCESSOR_NOTHING;
	ssize_t n = *link_fd < 0 ? -1 : recv(*link_fd, &word, 1, MSG_DONTWAIT);

	if (*link_fd < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return SUCCESSOR_NOTHING;
	if (n > 0)
		return word == SUCCESSOR_READY || word == SUCCESSOR_HURRY ? (enum successor_word)word : SUCCESSOR_NOTHING;
	fd_close(link_fd);
	return SUCCESSOR_GONE;
}

void successor_send(int link_fd, enum successor_word word)
{
	uint8_t byte = (uint8_t)word;

	if (link_fd >= 0 && send(link_fd, &byte, 1, MSG_NOSIGNAL) < 0)
		log_debug("the berthd before does not listen: %s", strerror(errno));
}
