#include "master/successor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/resources/notify.h"
#include "tests/unit/unit.h"

/* A script in place of a newer berthd. */
struct place {
	char *dir, *program, *out;
};

static void place_free(struct place *p)
{
	mem_free(&p->program);
	mem_free(&p->out);
	unit_remove_dir(&p->dir);
}

/* out is what "$out" stands for in its text. */
static struct place place_make(const char *text)
{
	struct place p = {.dir = unit_make_dir()};

	p.program = mem_printf("%s/program", p.dir);
	p.out = mem_printf("%s/out", p.dir);
	AUTO(mem_free) char *script = mem_printf("#!/bin/bash\nout=%s\n%s\n", p.out, text);
	unit_write_file(p.program, script);
	assert_int_equal(chmod(p.program, 0755), 0);
	return p;
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Waits for a word. */
static enum successor_word listen_to(int *fd)
{
	enum successor_word word = SUCCESSOR_NOTHING;

	for (int i = 0; i < 1000 && word == SUCCESSOR_NOTHING; i++) {
		word = successor_receive(fd);
		usleep(5000);
	}
	return word;
}

static void it_gets_the_configuration_and_what_it_inherits_and_nothing_else(void **state)
{
	AUTO(place_free)
	struct place p = place_make("{ echo \"$@\"; echo ${NOTIFY_SOCKET-none}; readlink /proc/$$/fd/*; :; } >\"$out\"");
	AUTO(handover_free) struct handover b = {0}, inherited = {0};
	AUTO(mem_free) char *text = NULL;
	struct successor successor = SUCCESSOR_NONE;
	struct err err;

	(void)state;
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	notify_init();
	AUTO(fd_close) int ours = open("/dev/zero", O_RDONLY | O_CLOEXEC), secret = open("/dev/full", O_RDONLY | O_CLOEXEC);
	assert_true(secret >= 0);
	assert_ok(handover_add(&b, "pid", ours, &err));
	int before = unit_open_fds();
	assert_ok(successor_start(&successor, p.program, "/etc/berth.conf", &b, &err));
	assert_int_equal(unit_open_fds(), before - 1 + 1); /* the copy went, the link came */
	assert_int_equal(b.count, 0);
	assert_int_equal(wait_for(successor.pid), 0);
	assert_int_equal(listen_to(&successor.link_fd), SUCCESSOR_GONE);
	assert_int_equal(successor.link_fd, -1);

	assert_ok(fd_read_file(p.out, 4096, &text, NULL, &err));
	int pid_fd, link_fd, end = 0;
	assert_int_equal(sscanf(text, "--config=/etc/berth.conf --inherit=pid:%d,link:%d\n%n", &pid_fd, &link_fd, &end), 2);
	assert_int_equal(strncmp(text + end, "/nowhere/notify\n", 16), 0);
	assert_non_null(strstr(text + end, "\n/dev/zero\n"));
	assert_null(strstr(text + end, "\n/dev/full\n"));
}

static void a_program_without_a_slash_is_looked_for_in_path(void **state)
{
	AUTO(place_free) struct place p = place_make("exit 0");
	AUTO(handover_free) struct handover b = {0};
	AUTO(mem_free) char *path = mem_printf("%s:%s", p.dir, getenv("PATH"));
	struct successor successor = SUCCESSOR_NONE;
	struct err err;

	(void)state;
	setenv("PATH", path, 1);
	assert_ok(successor_start(&successor, "program", "/etc/berth.conf", &b, &err));
	assert_int_equal(wait_for(successor.pid), 0);
	fd_close(&successor.link_fd);
}

static void a_program_that_cannot_be_executed_ends_with_a_failure(void **state)
{
	AUTO(place_free) struct place p = place_make("exit 0");
	AUTO(handover_free) struct handover b = {0};
	struct successor successor = SUCCESSOR_NONE;
	struct err err;

	(void)state;
	assert_int_equal(chmod(p.program, 0644), 0);
	assert_ok(successor_start(&successor, p.program, "/etc/berth.conf", &b, &err));
	assert_int_equal(WEXITSTATUS(wait_for(successor.pid)), 1);
	assert_int_equal(listen_to(&successor.link_fd), SUCCESSOR_GONE);
}

static void it_is_asked_to_end_and_killed_when_it_does_not(void **state)
{
	AUTO(place_free) struct place p = place_make("trap '' TERM; : >\"$out\"; while :; do sleep 0.01; done");
	AUTO(handover_free) struct handover b = {0};
	struct successor successor = SUCCESSOR_NONE;
	struct err err;
	int status;

	(void)state;
	assert_ok(successor_start(&successor, p.program, "/etc/berth.conf", &b, &err));
	while (access(p.out, F_OK) < 0)
		usleep(1000);
	successor_end(&successor, 42);
	assert_int_equal(successor.end_at_us, 42);
	usleep(20000);
	assert_int_equal(waitpid(successor.pid, &status, WNOHANG), 0);
	successor_end(&successor, 43);
	assert_true(successor.end_at_us == INT64_MAX);
	status = wait_for(successor.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	fd_close(&successor.link_fd);
}

static void words_come_in_order_and_the_end_is_heard_once(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(successor_receive(&ends[0]), SUCCESSOR_NOTHING);
	successor_send(ends[1], SUCCESSOR_READY);
	successor_send(ends[1], SUCCESSOR_HURRY);
	assert_int_equal(send(ends[1], "\x7f", 1, 0), 1); /* of a version to come */
	fd_close(&ends[1]);
	assert_int_equal(successor_receive(&ends[0]), SUCCESSOR_READY);
	assert_int_equal(successor_receive(&ends[0]), SUCCESSOR_HURRY);
	assert_int_equal(successor_receive(&ends[0]), SUCCESSOR_NOTHING);
	successor_send(ends[0], SUCCESSOR_READY); /* nobody is there */
	assert_int_equal(successor_receive(&ends[0]), SUCCESSOR_GONE);
	assert_int_equal(ends[0], -1);
	assert_int_equal(successor_receive(&ends[0]), SUCCESSOR_NOTHING);
	successor_send(-1, SUCCESSOR_READY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_gets_the_configuration_and_what_it_inherits_and_nothing_else),
		cmocka_unit_test(a_program_without_a_slash_is_looked_for_in_path),
		cmocka_unit_test(a_program_that_cannot_be_executed_ends_with_a_failure),
		cmocka_unit_test(it_is_asked_to_end_and_killed_when_it_does_not),
		cmocka_unit_test(words_come_in_order_and_the_end_is_heard_once),
	};

	log_init("test", LOG_ERROR + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
