#include "tests/unit/worker/worker_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "invoke/invoke.h"
#include "run/lease.h"
#include "tests/support/described.h"

struct shared *shared;

struct manner manner;

enum child_role worker_role = CHILD_INVOKE;

static void become_worker(const struct fixture *f, int slot)
{
	struct inherited h = {.role = worker_role, .slot = slot, .conf = f->conf};
	struct {
		int fd, number;
	} fds[] = {
		{f->board_fd, INHERITED_SCOREBOARD_FD}, {f->life[0], INHERITED_LIFE_FD}, {f->lanes[0], INHERITED_LISTEN_FD},
		{f->lanes[1], INHERITED_LISTEN_FD + 1}, {f->turn_fd, INHERITED_TURN_FD}, {f->gate_fd, INHERITED_GATE_FD},
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i].fd = fcntl(fds[i].fd, F_DUPFD, 20);
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		dup2(fds[i].fd, fds[i].number);
		close(fds[i].fd);
	}
	_exit(worker_run(&h, &invoke_service));
}

uint32_t slot_state(const struct fixture *f, int slot)
{
	return atomic_load(&scoreboard_slot(f->board, slot)->state);
}

uint64_t requests_of(const struct fixture *f, int slot)
{
	return atomic_load(&scoreboard_slot(f->board, slot)->requests);
}

pid_t start_worker(struct fixture *f, int slot)
{
	atomic_store(&scoreboard_slot(f->board, slot)->state, SLOT_STARTING);
	pid_t pid = fork();
	if (pid == 0)
		become_worker(f, slot);
	while (slot_state(f, slot) == SLOT_STARTING)
		usleep(1000);
	return pid;
}

int worker_rig_set_up_with(void **state, int turns, int max_workers, bool gate_is_open)
{
	manner.lane = 0;
	manner.queued_ago_us = 0;
	AUTO(fd_close) int dir = -1;
	struct fixture *f = calloc(1, sizeof(*f));
	char name[32];
	struct err err = {0};

	*state = f; /* set here, so that the worker's copy of it is not a leak */
	f->dir = unit_make_dir();
	assert_ok(conf_load_file(NULL, &f->conf, &err));
	free(f->conf->master_state_dir);
	f->conf->master_state_dir = strdup(f->dir);
	free(f->conf->master_run_dir);
	f->conf->master_run_dir = strdup(f->dir);
	f->conf->limits_request_bytes = 8 << 20;
	f->conf->invoke_turns = turns;
	f->conf->invoke_max_workers = max_workers;
	f->conf->invoke_lanes = LANES;
	assert_ok(scoreboard_create(WORKERS_MAX, &f->board, &f->board_fd, &err));
	scoreboard_set_used(f->board, WORKERS_MAX);
	dir = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < LANES; i++) {
		snprintf(name, sizeof(name), "invoke-%d.sock", i);
		f->lanes[i] = fd_listen_unix(dir, name, SOCK_STREAM, 0600, 16, &err);
		assert_true(f->lanes[i] >= 0);
	}
	assert_int_equal(pipe2(f->life, O_CLOEXEC), 0);
	f->turn_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->gate_fd = eventfd(gate_is_open, EFD_CLOEXEC | EFD_NONBLOCK);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	f->worker = start_worker(f, 0);
	return 0;
}

int worker_rig_set_up(void **state)
{
	return worker_rig_set_up_with(state, 0, 128, true);
}

int wait_for_end(pid_t *pid)
{
	int status;

	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	*pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int wait_for_worker(struct fixture *f)
{
	return wait_for_end(&f->worker);
}

int worker_rig_tear_down(void **state)
{
	struct fixture *f = *state;
	pid_t *pids[] = {&f->worker, &f->second};

	shared->go = true;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		if (*pids[i] > 0) {
			kill(*pids[i], SIGTERM);
			kill(*pids[i], SIGCONT); /* a test may have stopped it */
			assert_int_equal(wait_for_end(pids[i]), 0);
		}
	}
	fake_poolmgr_kill(&f->poolmgr);
	munmap(shared, sizeof(*shared));
	for (int i = 0; i < LANES; i++)
		fd_close(&f->lanes[i]);
	fd_close(&f->turn_fd);
	fd_close(&f->gate_fd);
	fd_close(&f->life[0]);
	fd_close(&f->life[1]);
	fd_close(&f->board_fd);
	scoreboard_close(&f->board);
	buf_free(&f->answer);
	conf_free(&f->conf);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

/* FastCGI of a web server. */

static void add_record(struct buf *out, int type, const char *data, size_t len)
{
	unsigned char header[8] = {1, (unsigned char)type, 0, 1, (unsigned char)(len >> 8), (unsigned char)len};

	buf_add(out, header, sizeof(header));
	buf_add(out, data, len);
}

static void add_stream(struct buf *out, int type, const char *data, size_t len)
{
	for (size_t n; len > 0; data += n, len -= n) {
		n = MIN(len, 65528);
		add_record(out, type, data, n);
	}
	add_record(out, type, NULL, 0);
}

static void add_param(struct buf *out, const char *name, const char *value)
{
	buf_add_u8(out, (uint8_t)strlen(name));
	buf_add_u8(out, (uint8_t)strlen(value));
	buf_add_str(out, name);
	buf_add_str(out, value);
}

int send_request(struct fixture *f, const char *method, const char *uri, const char *body, size_t len)
{
	AUTO(buf_free) struct buf out = {0}, params = {0};
	char path[200], length[24], queued_at[32];
	struct err err = {0};

	snprintf(path, sizeof(path), "%s/invoke-%d.sock", f->dir, manner.lane);
	int fd = fd_connect_unix(path, SOCK_STREAM, &err);
	if (fd < 0)
		fail_msg("%s", err.msg);
	struct timeval timeout = {.tv_sec = WORKER_RIG_TIMEOUT_US / 1000000};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	snprintf(length, sizeof(length), "%zu", len);
	add_record(&out, 1, "\0\1\0\0\0\0\0\0", 8);
	add_param(&params, "REQUEST_METHOD", method);
	add_param(&params, "REQUEST_URI", uri);
	add_param(&params, "QUERY_STRING", strchr(uri, '?') ? strchr(uri, '?') + 1 : "");
	add_param(&params, "CONTENT_TYPE", "application/json");
	add_param(&params, "CONTENT_LENGTH", length);
	add_param(&params, "HTTP_X_REQUEST_ID", "req-42");
	int64_t at_us = clock_wall_us() - manner.queued_ago_us;
	snprintf(queued_at, sizeof(queued_at), "%lld.%03d", (long long)at_us / 1000000, (int)(at_us / 1000 % 1000));
	add_param(&params, "BERTH_QUEUED_AT", manner.queued_ago_us > 0 ? queued_at : "");
	add_stream(&out, 4, params.data, params.len);
	add_stream(&out, 5, body, len);
	assert_ok(fd_write_all(fd, out.data, out.len, &err));
	return fd;
}

void receive_answer(struct fixture *f, int fd)
{
	AUTO(buf_free) struct buf in = {0};
	bool ended = false;
	ssize_t n;

	while ((n = read(fd, buf_reserve(&in, 65536), 65536)) > 0)
		in.len += (size_t)n;
	assert_int_equal(n, 0);
	close(fd);
	buf_reset(&f->answer);
	for (size_t at = 0; at + 8 <= in.len;) {
		const unsigned char *h = (unsigned char *)in.data + at;
		size_t len = (size_t)h[4] << 8 | h[5];
		if (h[1] == 6)
			buf_add(&f->answer, in.data + at + 8, len);
		ended = h[1] == 3;
		at += 8 + len + h[6];
	}
	assert_true(ended);
}

void ask(struct fixture *f, const char *method, const char *uri, const char *body)
{
	receive_answer(f, send_request(f, method, uri, body, strlen(body)));
	if (strncmp(uri, "/execute/", 9) == 0) /* the routes of other workers do not exist here */
		assert_written_answer_described(method, uri, buf_str(&f->answer));
}

void assert_answer(const struct fixture *f, const char *part)
{
	if (strstr(buf_str(&f->answer), part) == NULL)
		fail_msg("no '%s' in: %.1000s", part, buf_str(&f->answer));
}

int read_spool(const struct fixture *f, struct record *last, char **text)
{
	char path[600];
	size_t len = 0, at = 0;
	struct err err = {0};
	struct uuid key;
	int count = 0;

	*text = NULL;
	snprintf(path, sizeof(path), "%s/spool", f->dir);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/spool/%s", f->dir, e->d_name);
			assert_null(*text);
			assert_true(record_file_key(e->d_name, RECORD_FILE_SUFFIX, &key));
			assert_ok(fd_read_file(path, 1 << 26, text, &len, &err));
		}
	if (dir != NULL)
		closedir(dir);
	for (ptrdiff_t n; at < len; at += (size_t)n, count++) {
		n = record_decode(*text + at, len - at, &key, last, &err);
		assert_true(n > 0);
	}
	return count;
}

/* Agents and poolmgrs. */

void echo(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	for (;;) {
		fake_agent_expect(control, FRAME_INVOKE, &payload);
		fd_write_all(log, "hi\n", 3, NULL);
		fake_agent_answer(control, &payload, strchr(payload.data, '\n') + 1);
	}
}

void serve_all(int fd, void (*agent)(int, int))
{
	struct ipc_msg m;

	while (fake_poolmgr_receive(fd, &m) == 1) {
		if (m.type == IPC_LEASE) {
			shared->leases++;
			fake_poolmgr_grant(fd, &m, "", agent);
		} else {
			fake_poolmgr_check(m.type == IPC_RELEASE && m.release.reason == 0, "release");
		}
	}
}

void serve_all_echo(int fd)
{
	serve_all(fd, echo);
}

void lease_to(int fd, void (*agent)(int, int), int destroy)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", agent);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check((m.release.reason != 0) == (destroy != 0), "destroy");
}

static void answer_when_it_may(int control, struct buf *invoke)
{
	while (!shared->go)
		usleep(1000);
	fake_agent_answer(control, invoke, "\"late\"");
	fake_agent_wait_for_close(control);
}

void wait_for_go(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INVOKE, &payload);
	answer_when_it_may(control, &payload);
}

void say_and_wait_for_go(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INVOKE, &payload);
	shared->seen = true;
	answer_when_it_may(control, &payload);
}

void one_long_lease(int fd)
{
	lease_to(fd, say_and_wait_for_go, 0);
	fake_poolmgr_expect_close(fd);
}
