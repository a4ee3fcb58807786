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
static enum heir_word listen_to(int *fd)
{
	enum heir_word word = HEIR_NOTHING;

	for (int i = 0; i < 1000 && word == HEIR_NOTHING; i++) {
		word = heir_hear(fd);
		usleep(5000);
	}
	return word;
}

static void it_gets_the_configuration_and_what_it_inherits_and_nothing_else(void **state)
{
	AUTO(place_free)
	struct place p = place_make("{ echo \"$@\"; echo ${NOTIFY_SOCKET-none}; readlink /proc/$$/fd/*; :; } >\"$out\"");
	AUTO(bequest_free) struct bequest b = {0}, inherited = {0};
	AUTO(mem_free) char *text = NULL;
	struct heir heir = HEIR_NONE;
	struct err err;

	(void)state;
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	notify_init();
	AUTO(fd_close) int ours = open("/dev/zero", O_RDONLY | O_CLOEXEC), secret = open("/dev/full", O_RDONLY | O_CLOEXEC);
	assert_true(secret >= 0);
	assert_ok(bequest_add(&b, "pid", ours, &err));
	int before = unit_open_fds();
	assert_ok(heir_start(&heir, p.program, "/etc/berth.conf", &b, &err));
	assert_int_equal(unit_open_fds(), before - 1 + 1); /* the copy went, the link came */
	assert_int_equal(b.count, 0);
	assert_int_equal(wait_for(heir.pid), 0);
	assert_int_equal(listen_to(&heir.link_fd), HEIR_GONE);
	assert_int_equal(heir.link_fd, -1);

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
	AUTO(bequest_free) struct bequest b = {0};
	AUTO(mem_free) char *path = mem_printf("%s:%s", p.dir, getenv("PATH"));
	struct heir heir = HEIR_NONE;
	struct err err;

	(void)state;
	setenv("PATH", path, 1);
	assert_ok(heir_start(&heir, "program", "/etc/berth.conf", &b, &err));
	assert_int_equal(wait_for(heir.pid), 0);
	fd_close(&heir.link_fd);
}

static void a_program_that_cannot_be_executed_ends_with_a_failure(void **state)
{
	AUTO(place_free) struct place p = place_make("exit 0");
	AUTO(bequest_free) struct bequest b = {0};
	struct heir heir = HEIR_NONE;
	struct err err;

	(void)state;
	assert_int_equal(chmod(p.program, 0644), 0);
	assert_ok(heir_start(&heir, p.program, "/etc/berth.conf", &b, &err));
	assert_int_equal(WEXITSTATUS(wait_for(heir.pid)), 1);
	assert_int_equal(listen_to(&heir.link_fd), HEIR_GONE);
}

static void it_is_asked_to_end_and_killed_when_it_does_not(void **state)
{
	AUTO(place_free) struct place p = place_make("trap '' TERM; : >\"$out\"; while :; do sleep 0.01; done");
	AUTO(bequest_free) struct bequest b = {0};
	struct heir heir = HEIR_NONE;
	struct err err;
	int status;

	(void)state;
	assert_ok(heir_start(&heir, p.program, "/etc/berth.conf", &b, &err));
	while (access(p.out, F_OK) < 0)
		usleep(1000);
	heir_end(&heir, 42);
	assert_int_equal(heir.end_at_us, 42);
	usleep(20000);
	assert_int_equal(waitpid(heir.pid, &status, WNOHANG), 0);
	heir_end(&heir, 43);
	assert_true(heir.end_at_us == INT64_MAX);
	status = wait_for(heir.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	fd_close(&heir.link_fd);
}

static void words_come_in_order_and_the_end_is_heard_once(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(heir_hear(&ends[0]), HEIR_NOTHING);
	heir_say(ends[1], HEIR_READY);
	heir_say(ends[1], HEIR_HURRY);
	assert_int_equal(send(ends[1], "\x7f", 1, 0), 1); /* of a version to come */
	fd_close(&ends[1]);
	assert_int_equal(heir_hear(&ends[0]), HEIR_READY);
	assert_int_equal(heir_hear(&ends[0]), HEIR_HURRY);
	assert_int_equal(heir_hear(&ends[0]), HEIR_NOTHING);
	heir_say(ends[0], HEIR_READY); /* nobody is there */
	assert_int_equal(heir_hear(&ends[0]), HEIR_GONE);
	assert_int_equal(ends[0], -1);
	assert_int_equal(heir_hear(&ends[0]), HEIR_NOTHING);
	heir_say(-1, HEIR_READY);
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
