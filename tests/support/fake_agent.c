#include "tests/support/fake_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

int fake_agent_error_log = -1;

static void die(const char *what)
{
	fprintf(stderr, "fake agent: %s\n", what);
	_exit(1);
}

static void make_pair(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
}

/* Nothing of the test's may stay open in the child: the end of a connection is part of many tests. */
static void leave_only(int a, int b, int c)
{
	for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
		if (fd != a && fd != b && fd != c)
			close(fd);
}

void fake_agent_start(struct fake_agent *agent, void (*script)(int control, int log))
{
	int control[2], log[2], error_log[2];

	make_pair(control);
	make_pair(log);
	make_pair(error_log);
	agent->pid = fork();
	if (agent->pid == 0) {
		prctl(PR_SET_PDEATHSIG, 9);
		leave_only(control[1], log[1], error_log[1]);
		fake_agent_error_log = error_log[1];
		script(control[1], log[1]);
		_exit(0);
	}
	close(control[1]);
	close(log[1]);
	close(error_log[1]);
	agent->control_fd = control[0];
	agent->log_fd = log[0];
	agent->error_log_fd = error_log[0];
}

int fake_agent_stop(struct fake_agent *agent)
{
	int status;

	fd_close(&agent->control_fd);
	fd_close(&agent->log_fd);
	fd_close(&agent->error_log_fd);
	if (waitpid(agent->pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_exactly(int fd, void *to, size_t len)
{
	if (len > 0 && recv(fd, to, len, MSG_WAITALL) != (ssize_t)len)
		die("the host closed in the middle of a frame");
}

void fake_agent_expect(int control, enum frame_type type, struct buf *payload)
{
	unsigned char header[FRAME_HEADER_SIZE];

	read_exactly(control, header, sizeof(header));
	if (header[4] != type)
		die("another frame than expected");
	size_t len = buf_get_u32(header);
	buf_reset(payload);
	read_exactly(control, buf_reserve(payload, len), len);
	payload->len = len;
	payload->data[len] = '\0';
}

void fake_agent_send(int control, enum frame_type type, const char *payload)
{
	AUTO(buf_free) struct buf frame = {0};

	frame_encode(&frame, type, payload, strlen(payload), NULL, 0);
	if (fd_write_all(control, frame.data, frame.len, NULL) < 0)
		die("cannot write a frame");
}

void fake_agent_result(int control, const char *invocation_id, const char *output)
{
	AUTO(buf_free) struct buf payload = {0};

	buf_printf(&payload, "{\"invocation_id\":\"%s\"}\n", invocation_id);
	buf_add_str(&payload, output);
	fake_agent_send(control, FRAME_RESULT, payload.data);
}

void fake_agent_answer(int control, const struct buf *invoke, const char *output)
{
	char id[64];

	if (sscanf(invoke->data, "{\"invocation_id\":\"%63[^\"]", id) != 1)
		die("INVOKE without the id of the invocation");
	fake_agent_result(control, id, output);
}

void fake_agent_wait_for_close(int control)
{
	char c;

	while (read(control, &c, 1) > 0)
		;
}
