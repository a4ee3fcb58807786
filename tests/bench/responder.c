/*
 * The baselines of `make bench`, behind the very nginx configuration that Berth has:
 *
 *   responder constant SOCKET PROCESSES                  answers with a constant: what nginx and FastCGI alone cost
 *   responder host SOCKET PROCESSES AGENT_COMMAND...     each process asks an agent of its own on the host, without a sandbox
 *
 * Runs in the foreground; ends with its parent or at SIGTERM.
 */
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "ipc/frame.h"

#define MAX_PAYLOAD (8u << 20)

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Starts the agent with its end of a socket pair as descriptor 3; returns ours. */
static int start_agent(char **command)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(pair[1], 3) < 0)
			die("dup2");
		fcntl(3, F_SETFD, 0);
		execvp(command[0], command);
		die(command[0]);
	}
	close(pair[1]);
	return pair[0];
}

/* Reads one frame; its payload points into in, which is emptied at the next call. */
static struct frame read_frame(int fd, struct buf *in)
{
	struct frame frame;
	struct err err;

	buf_reset(in);
	for (;;) {
		ptrdiff_t took = frame_decode(buf_str(in), in->len, MAX_PAYLOAD, &frame, &err);
		if (took > 0)
			return frame;
		ssize_t n = took < 0 ? -1 : read(fd, buf_reserve(in, 65536), 65536);
		if (n <= 0)
			die("agent");
		in->len += (size_t)n;
	}
}

static void send_frame(int fd, enum frame_type type, const char *head, const char *body, size_t body_len)
{
	static struct buf out;
	struct err err;

	buf_reset(&out);
	frame_encode(&out, type, head, strlen(head), body, body_len);
	if (fd_write_all(fd, out.data, out.len, &err) < 0)
		die("agent");
}

static void init_agent(int fd, struct buf *in)
{
	static const char init[] =
		"{\"handler\":\"main.handler\",\"environment\":{},\"function\":{\"id\":\"0\",\"name\":\"bench\","
		"\"version\":1},\"limits\":{\"memory_limit_mb\":128,\"timeout_ms\":3000,"
		"\"response_bytes\":6291456}}";

	if (read_frame(fd, in).type != FRAME_HELLO)
		die("HELLO");
	send_frame(fd, FRAME_INIT, init, "", 0);
	if (read_frame(fd, in).type != FRAME_READY)
		die("READY");
}

static void answer(FCGX_Request *request, const char *body, size_t len)
{
	FCGX_FPrintF(request->out,
		     "Status: 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: bench\r\nContent-Length: %d\r\n\r\n",
		     (int)len);
	FCGX_PutStr(body, (int)len, request->out);
}

static void serve_host(FCGX_Request *request, int agent, struct buf *in)
{
	static const char meta[] =
		"{\"invocation_id\":\"00000000-0000-7000-8000-000000000000\",\"request_id\":\"bench\",\"remaining_ms\":3000}\n";
	static struct buf body, out;
	const char *line, *output;
	size_t line_len, output_len;
	int n;

	buf_reset(&body);
	while ((n = FCGX_GetStr(buf_reserve(&body, 8192), 8192, request->in)) > 0)
		body.len += (size_t)n;
	send_frame(agent, FRAME_INVOKE, meta, buf_str(&body), body.len);
	struct frame frame = read_frame(agent, in);
	if (frame.type != FRAME_RESULT || frame_split(&frame, &line, &line_len, &output, &output_len, NULL) < 0)
		die("RESULT");
	buf_reset(&out);
	buf_add_str(&out, "{\"output\":");
	buf_add(&out, output, output_len);
	buf_add_str(&out, "}");
	answer(request, out.data, out.len);
}

static void serve(int listener, char **agent_command)
{
	static const char constant[] = "{\"output\":null}";
	struct buf in = {0};
	FCGX_Request request;
	int agent = -1;

	if (agent_command != NULL) {
		agent = start_agent(agent_command);
		init_agent(agent, &in);
	}
	FCGX_Init();
	FCGX_InitRequest(&request, listener, 0);
	while (FCGX_Accept_r(&request) >= 0) {
		if (agent < 0)
			answer(&request, constant, sizeof(constant) - 1);
		else
			serve_host(&request, agent, &in);
		FCGX_Finish_r(&request);
	}
}

int main(int argc, char **argv)
{
	bool host = argc > 4 && strcmp(argv[1], "host") == 0;

	if (!host && (argc != 4 || strcmp(argv[1], "constant") != 0)) {
		fprintf(stderr, "usage: responder constant SOCKET PROCESSES | responder host SOCKET PROCESSES AGENT...\n");
		return 2;
	}
	int listener = FCGX_OpenSocket(argv[2], 1024);
	if (listener < 0 || chmod(argv[2], 0666) < 0)
		die(argv[2]);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (int i = 0; i < atoi(argv[3]); i++) {
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(listener, host ? argv + 4 : NULL);
			return 1;
		}
	}
	while (wait(NULL) > 0)
		;
	return 1;
}
