#include "tests/unit/run/invocation_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "base/fd.h"
#include "tests/support/described.h"

int invocation_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(conf_load_file(NULL, &f->conf, NULL), 0);
	f->invocation = invocation_new(f->conf, NULL, NULL);
	f->lease = LEASE_NONE;
	strcpy(f->lease.sandbox_id, "sb");
	f->lease.timeout_ms = 2000;
	f->lease.init_timeout_ms = 400;
	f->lease.memory_limit_mb = 128;
	f->lease.response_bytes = 1 << 20;
	f->lease.log_bytes = 4096;
	*state = f;
	return 0;
}

int invocation_tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->agent.pid > 0) {
		kill(f->agent.pid, SIGKILL);
		fake_agent_stop(&f->agent);
	}
	assert_problem_described(&f->outcome.problem);
	assert_problem_described(&f->denial.problem);
	outcome_clear(&f->outcome);
	problem_clear(&f->denial.problem);
	if (f->client != NULL && f->lease.control_fd >= 0)
		lease_release(f->client, &f->lease, 0);
	lease_client_free(&f->client);
	fake_poolmgr_kill(&f->poolmgr);
	unit_remove_dir(&f->dir);
	buf_free(&f->lease.init);
	mask_free(&f->lease.mask);
	invocation_free(&f->invocation);
	conf_free(&f->conf);
	free(f);
	return 0;
}

void start_agent(struct fixture *f, void (*script)(int control, int log))
{
	fake_agent_start(&f->agent, script);
	f->lease.control_fd = f->agent.control_fd;
	f->lease.log_fd = f->agent.log_fd;
	f->lease.error_log_fd = f->agent.error_log_fd;
}

void invoke_with(struct fixture *f, const char *body, size_t len)
{
	struct invocation_input input = {.id = ID, .request_id = REQUEST_ID, .traceparent = "", .body = body, .body_len = len};

	outcome_clear(&f->outcome);
	invocation_run(f->invocation, &f->lease, &input, &f->outcome);
}

void invoke(struct fixture *f)
{
	invoke_with(f, "{\"input\":1}", 11);
}

void await_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
}

void run_script(struct fixture *f, void (*script)(int control, int log))
{
	start_agent(f, script);
	invoke(f);
}

void assert_script_ended_well(struct fixture *f)
{
	assert_int_equal(fake_agent_stop(&f->agent), 0);
	f->agent.pid = 0;
}

void assert_failed(const struct fixture *f, enum problem_code code, enum counter destroy_reason)
{
	assert_int_equal(f->outcome.kind, OUTCOME_FAILURE);
	if (f->outcome.problem.code != code)
		fail_msg("%s instead of %s: %s", problem_name(f->outcome.problem.code), problem_name(code),
			 f->outcome.problem.detail);
	assert_int_equal(f->outcome.destroy_reason, destroy_reason);
	assert_true(f->outcome.problem.detail[0] != '\0');
}

void assert_output(const struct fixture *f, const char *output)
{
	if (f->outcome.kind != OUTCOME_SUCCESS)
		fail_msg("failed: %s", f->outcome.problem.detail);
	assert_int_equal(f->outcome.output.len, strlen(output));
	assert_memory_equal(f->outcome.output.data, output, strlen(output));
}

void expect_invoke(int control, struct buf *payload)
{
	fake_agent_expect(control, FRAME_INVOKE, payload);
}

void print_and_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	if (strcmp(payload.data, "{\"invocation_id\":\"" ID "\",\"request_id\":\"" REQUEST_ID
				 "\",\"remaining_ms\":2000}\n{\"input\":1}") != 0)
		_exit(3);
	fd_write_all(log, "hello\n", 6, NULL);
	fake_agent_result(control, ID, "{\"a\": [1]}");
	fake_agent_wait_for_close(control);
}

void print_and_exit(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	fd_write_all(log, "last words\n", 11, NULL);
}

/* ---- The files of the sandbox's cgroup ---- */

static const char *cgroup_dir; /* an agent writes here what the kernel would */

static int cgroup_file(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", cgroup_dir, name);
	unit_write_file(path, text);
	return open(path, O_RDWR | O_CLOEXEC);
}

void cgroup_says(const char *cpu, const char *memory, const char *oom)
{
	close(cgroup_file("cpu", cpu));
	close(cgroup_file("memory", memory));
	close(cgroup_file("oom", oom));
}

void make_cgroup(struct fixture *f, int fds[3])
{
	if (f->dir == NULL)
		f->dir = unit_make_dir();
	cgroup_dir = f->dir;
	fds[0] = cgroup_file("cpu", "usage_usec 1000\n");
	fds[1] = cgroup_file("memory", "9000000000\n");
	fds[2] = cgroup_file("oom", "oom_kill 2\n");
}

int64_t problem_member(const struct fixture *f, const char *name)
{
	const json_t *value = json_object_get(f->outcome.problem.members, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

const char *problem_text(const struct fixture *f, const char *name)
{
	return json_string_value(json_object_get(f->outcome.problem.members, name)) ?: "";
}

void assert_log(const struct fixture *f, const char *text)
{
	assert_int_equal(f->outcome.log.len, strlen(text));
	assert_memory_equal(f->outcome.log.data, text, strlen(text));
}

void print_and_be_killed_for_memory(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	fd_write_all(log, "last words\n", 11, NULL);
	cgroup_says("usage_usec 3000\n", "134217729\n", "oom_kill 3\n");
}

size_t line_length(int round)
{
	return round % 10 == 9 ? 6000 : 1 + (size_t)round % 100;
}

void print_and_answer_many(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};
	char line[6000];

	memset(line, 'x', sizeof(line));
	for (int i = 0; i < LOG_ROUNDS; i++) {
		expect_invoke(control, &payload);
		fd_write_all(log, line, line_length(i), NULL);
		fake_agent_result(control, ID, "1");
	}
	fake_agent_wait_for_close(control);
}
