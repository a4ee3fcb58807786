#include "status/status.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "ipc/ipc.h"

#define ANSWER_TIMEOUT_US 3000000

static int take_answer(int fd, json_t **stats, struct err *err)
{
	AUTO(buf_free) struct buf scratch = {0};
	struct ipc_msg answer;

	int rc = ipc_recv(fd, IPC_POOLMGR, clock_mono_us() + ANSWER_TIMEOUT_US, &scratch, &answer, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, EPIPE, "it closed the connection");
	json_t *json = answer.type == IPC_STATS_REPLY
			       ? json_loadb(answer.stats_reply.json.data, answer.stats_reply.json.len, 0, NULL)
			       : NULL;
	ipc_close_fds(&answer);
	if (!json_is_object(json)) {
		json_decref(json);
		return err_set(err, EPROTO, "its answer is not what was asked for");
	}
	*stats = json;
	return 0;
}

int status_ask(const struct conf *conf, json_t **stats, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", conf->master_run_dir, IPC_SOCKET_NAME);
	AUTO(fd_close) int fd = fd_connect_unix(path, SOCK_SEQPACKET | SOCK_NONBLOCK, err);
	struct ipc_msg hello = {.type = IPC_HELLO, .hello = {.pid = (uint32_t)getpid(), .held_sandbox = STR("")}};
	struct ipc_msg question = {.type = IPC_STATS, .stats = {.seq = 1, .whole = 1}};

	if (fd < 0 || ipc_send(fd, &hello, err) < 0 || ipc_send(fd, &question, err) < 0)
		return -1;
	return take_answer(fd, stats, err);
}
