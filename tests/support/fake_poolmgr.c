#include "tests/support/fake_poolmgr.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/support/fake_agent.h"

#define TIMEOUT_US 10000000

char fake_poolmgr_held[64];
uint64_t fake_poolmgr_lease_id = FAKE_LEASE_ID;
uint32_t fake_poolmgr_usual_us;
uint8_t fake_poolmgr_single_use;
int fake_poolmgr_meter_fds[3] = {-1, -1, -1};

static void die(const char *what)
{
	fprintf(stderr, "fake poolmgr: %s\n", what);
	_exit(1);
}

void fake_poolmgr_check(int condition, const char *what)
{
	if (!condition)
		die(what);
}

static int listen_in(const char *run_dir)
{
	AUTO(fd_close) int dir = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = {0};

	int fd = fd_listen_unix(dir, IPC_SOCKET_NAME, SOCK_SEQPACKET, 0600, 16, &err);
	if (fd < 0)
		die(err.msg);
	return fd;
}

static void serve(int listen_fd, const char *run_dir, void (*const *scripts)(int fd), int count, int restart)
{
	for (int i = 0; i < count; i++) {
		int fd = accept(listen_fd, NULL, NULL);
		struct ipc_msg hello;
		fake_poolmgr_check(fd >= 0, "accept");
		if (restart)
			close(listen_fd);
		fake_poolmgr_expect(fd, IPC_HELLO, &hello);
		snprintf(fake_poolmgr_held, sizeof(fake_poolmgr_held), "%.*s", (int)hello.hello.held_sandbox.len,
			 hello.hello.held_sandbox.data);
		scripts[i](fd);
		close(fd);
		if (restart) {
			usleep(50000); /* connections are refused meanwhile */
			listen_fd = listen_in(run_dir);
		}
	}
}

void fake_poolmgr_start(struct fake_poolmgr *poolmgr, const char *run_dir, void (*const *scripts)(int fd), int count,
			int restart)
{
	int listen_fd = listen_in(run_dir);

	poolmgr->pid = fork();
	if (poolmgr->pid == 0) {
		prctl(PR_SET_PDEATHSIG, 9);
		serve(listen_fd, run_dir, scripts, count, restart);
		_exit(0);
	}
	close(listen_fd);
}

int fake_poolmgr_wait(struct fake_poolmgr *poolmgr)
{
	int status;

	if (waitpid(poolmgr->pid, &status, 0) < 0)
		return -1;
	poolmgr->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void fake_poolmgr_kill(struct fake_poolmgr *poolmgr)
{
	if (poolmgr->pid <= 0)
		return;
	kill(poolmgr->pid, 9);
	fake_poolmgr_wait(poolmgr);
}

int fake_poolmgr_receive(int fd, struct ipc_msg *msg)
{
	static struct buf scratch;
	struct err err = {0};

	int rc = ipc_recv(fd, IPC_WORKER, clock_mono_us() + TIMEOUT_US, &scratch, msg, &err);
	if (rc < 0)
		die(err.msg);
	return rc;
}

void fake_poolmgr_expect(int fd, enum ipc_type type, struct ipc_msg *msg)
{
	fake_poolmgr_check(fake_poolmgr_receive(fd, msg) == 1, "the worker closed");
	fake_poolmgr_check(msg->type == type, ipc_name(msg->type));
}

void fake_poolmgr_expect_close(int fd)
{
	struct ipc_msg msg;

	fake_poolmgr_check(fake_poolmgr_receive(fd, &msg) == 0, "a message where the connection should end");
}

void fake_poolmgr_send(int fd, const struct ipc_msg *msg)
{
	struct err err = {0};

	if (ipc_send(fd, msg, &err) < 0)
		die(err.msg);
}

void fake_poolmgr_recall(int fd, uint64_t lease_id)
{
	struct ipc_msg m = {.type = IPC_RECALL, .recall.lease_id = lease_id};

	fake_poolmgr_send(fd, &m);
}

static uint64_t seq_of(const struct ipc_msg *question)
{
	return question->type == IPC_LEASE   ? question->lease.seq
	       : question->type == IPC_CHECK ? question->check.seq
					     : question->check_stored.seq;
}

void fake_poolmgr_grant(int fd, const struct ipc_msg *question, const char *init, void (*agent)(int control, int log))
{
	AUTO(fd_close) int none = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fake_agent a;
	struct ipc_msg grant = {.type = IPC_GRANT,
				.grant = {.seq = seq_of(question),
					  .lease_id = fake_poolmgr_lease_id,
					  .sandbox_id = STR(FAKE_SANDBOX),
					  .start_kind = IPC_START_PREWARMED,
					  .queued_us = 1500,
					  .usual_us = fake_poolmgr_usual_us,
					  .version = 4,
					  .timeout_ms = FAKE_TIMEOUT_MS,
					  .init_timeout_ms = 3000,
					  .memory_limit_mb = 128,
					  .response_bytes = 8 << 20,
					  .log_bytes = 4096,
					  .single_use = fake_poolmgr_single_use,
					  .runtime = STR("docker"),
					  .init = STR(init)}};

	uuid_parse(FAKE_FUNCTION, &grant.grant.function_id);
	fake_agent_start(&a, agent);
	grant.fds[0] = a.control_fd;
	grant.fds[1] = a.log_fd;
	grant.fds[2] = a.error_log_fd;
	for (int i = 0; i < 3; i++)
		grant.fds[3 + i] = fake_poolmgr_meter_fds[i] >= 0 ? fake_poolmgr_meter_fds[i] : none;
	fake_poolmgr_send(fd, &grant);
	close(a.control_fd);
	close(a.log_fd);
	close(a.error_log_fd);
}

void fake_poolmgr_find(int fd, const struct ipc_msg *question, int known, int out_of_memory, uint32_t exit_code)
{
	struct ipc_msg finding = {.type = IPC_FINDING,
				  .finding = {.seq = question->postmortem.seq,
					      .known = known != 0,
					      .out_of_memory = out_of_memory != 0,
					      .exit_code = exit_code}};

	fake_poolmgr_send(fd, &finding);
}

void fake_poolmgr_deny(int fd, const struct ipc_msg *question, enum problem_code code, enum throttled reason,
		       uint32_t retry_after_ms)
{
	struct ipc_msg deny = {.type = IPC_DENY,
			       .deny = {.seq = seq_of(question),
					.code = (uint8_t)code,
					.reason = (uint8_t)reason,
					.detail = STR("said by a test"),
					.retry_after_ms = retry_after_ms}};

	fake_poolmgr_send(fd, &deny);
}
