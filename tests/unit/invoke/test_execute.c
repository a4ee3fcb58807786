/* How often a worker copies input and output between libfcgi and the sandbox's socket. */
#include "invoke/execute.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "http/connection.h"
#include "http/request.h"
#include "http/response.h"
#include "invoke/spool.h"
#include "ipc/scoreboard.h"
#include "run/invocation.h"
#include "run/lease.h"
#include "tests/support/described.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"
#include "worker/worker.h"

#define LARGE (1u << 20) /* bytes of input, which the agent returns as output */
#define SMALL (LARGE / 8)

/* Counts the bytes copied in this process, without those that libfcgi copies internally. */
static size_t copied;

void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__real_memcpy(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	copied += n;
	return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
	copied += n;
	return __real_memmove(to, from, n);
}

struct fixture {
	char *dir;
	struct conf *conf;
	struct scoreboard *board;
	int board_fd;
	struct fake_poolmgr poolmgr;
	struct worker worker;
	struct connection *connection;
	struct request request;
	struct response response;
	struct buf body;
};

static void echo(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INVOKE, &payload);
	fake_agent_answer(control, &payload, strchr(payload.data, '\n') + 1);
	fake_agent_wait_for_close(control);
}

static void grant_an_echo(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", echo);
	while (fake_poolmgr_receive(fd, &m) == 1)
		;
}

static int set_up(void **state)
{
	static void (*const scripts[])(int) = {grant_an_echo};
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = {0};

	*state = f;
	f->dir = unit_make_dir();
	assert_ok(conf_load_file(NULL, &f->conf, &err));
	free(f->conf->master_state_dir);
	f->conf->master_state_dir = strdup(f->dir);
	assert_ok(scoreboard_create(1, &f->board, &f->board_fd, &err));
	fake_poolmgr_start(&f->poolmgr, f->dir, scripts, 1, 0);
	f->worker = (struct worker){
		.conf = f->conf,
		.board = f->board,
		.slot = scoreboard_slot(f->board, 0),
		.tally = scoreboard_tally(f->board, 0),
		.poolmgr = lease_client_new(f->dir, NULL, true),
	};
	f->worker.invocation = invocation_new(f->conf, f->worker.poolmgr, NULL);
	f->worker.spool = spool_new(f->conf, f->worker.slot, scoreboard_spool_bytes(f->board));
	assert_ok(connection_new(&f->connection, &err));
	return 0;
}

static void look_at_answer(const struct fixture *f)
{
	AUTO(buf_free) struct buf answer = {0};
	struct str parts[RESPONSE_PARTS_MAX];
	size_t count = response_parts(&f->response, parts);

	for (size_t i = 0; i < count; i++)
		buf_add(&answer, parts[i].data, parts[i].len);
	assert_written_answer_described("POST", f->request.path, buf_str(&answer));
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	look_at_answer(f);
	connection_free(&f->connection);
	response_free(&f->response);
	buf_free(&f->body);
	invocation_free(&f->worker.invocation);
	lease_client_free(&f->worker.poolmgr);
	spool_free(&f->worker.spool);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
	scoreboard_close(&f->board);
	fd_close(&f->board_fd);
	conf_free(&f->conf);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

/* ---- A web server ---- */

static void add_record(struct buf *out, unsigned char type, const char *data, size_t len)
{
	unsigned char header[8] = {1, type, 0, 1, (unsigned char)(len >> 8), (unsigned char)len};

	buf_add(out, header, sizeof(header));
	buf_add(out, data, len);
}

static void add_stream(struct buf *out, unsigned char type, const char *data, size_t len)
{
	for (size_t n; len > 0; data += n, len -= n) {
		n = MIN(len, 65528);
		add_record(out, type, data, n);
	}
	add_record(out, type, NULL, 0);
}

/* Sends the body and exits with 0 if it comes back as the output. */
static void serve_as_web_server(int fd, const struct buf *body)
{
	AUTO(buf_free) struct buf out = {0}, in = {0}, answer = {0}, wanted = {0};
	ssize_t n;

	add_record(&out, 1, "\0\1\0\0\0\0\0\0", 8);
	add_record(&out, 4, NULL, 0);
	add_stream(&out, 5, body->data, body->len);
	if (fd_write_all(fd, out.data, out.len, NULL) < 0)
		_exit(1);
	while ((n = read(fd, buf_reserve(&in, 65536), 65536)) > 0)
		in.len += (size_t)n;
	for (size_t at = 0, len; at + 8 <= in.len; at += 8 + len + (unsigned char)in.data[at + 6]) {
		len = (size_t)(unsigned char)in.data[at + 4] << 8 | (unsigned char)in.data[at + 5];
		if (in.data[at + 1] == 6)
			buf_add(&answer, in.data + at + 8, len);
	}
	buf_printf(&wanted, "\r\n\r\n{\"output\":%s}", body->data);
	_exit(answer.len < wanted.len || memcmp(answer.data + answer.len - wanted.len, wanted.data, wanted.len) != 0);
}

/* Handles one request, from its first byte to its last. */
static void run(struct fixture *f, size_t len)
{
	struct request_source source = {.method = "POST", .uri = "/execute/hello"};
	AUTO(buf_free) struct buf body = {0};
	struct str parts[RESPONSE_PARTS_MAX];
	struct err err = {0};
	int pair[2], status;

	buf_add_str(&body, "{\"input\":\"");
	memset(buf_reserve(&body, len), 'x', len);
	body.len += len;
	buf_add_str(&body, "\"}");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid_t server = fork();
	if (server == 0) {
		close(pair[1]);
		serve_as_web_server(pair[0], &body);
	}
	close(pair[0]);
	copied = 0;
	assert_ok(connection_begin(f->connection, pair[1], 20000, &err));
	assert_ok(request_parse(&source, &f->request, &err));
	assert_ok(connection_read(f->connection, body.len, &f->body, &err));
	f->request.body = f->body.data;
	f->request.body_len = f->body.len;
	response_begin(&f->response, &f->request);
	execute(&f->worker, &f->request, &f->response);
	assert_int_equal(f->response.status, 200);
	assert_ok(connection_end(f->connection, parts, response_parts(&f->response, parts), &err));
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
}

static void a_large_input_and_output_are_copied_by_nobody_but_libfcgi(void **state)
{
	run(*state, LARGE);
	print_message("# %zu bytes were copied for %u of input and as many of output\n", copied, LARGE);
	assert_in_range(copied, 1, SMALL);
}

/* Otherwise the test would count nothing. */
static void what_is_copied_is_counted(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct fixture *f = *state;

	run(f, 10);
	copied = 0;
	buf_add(&b, &f->request, sizeof(f->request));
	assert_int_equal(copied, sizeof(f->request));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_large_input_and_output_are_copied_by_nobody_but_libfcgi, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_copied_is_counted, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
