#include "collector/certificate.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

#define DAY_S 86400

/* Something that shows a certificate for three days, at an address of its own. */
struct server {
	char *dir, *address;
	FILE *out;
	pid_t pid;
};

static void server_end(struct server *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
		fclose(s->out);
	}
	mem_free(&s->address);
	unit_remove_dir(&s->dir);
}

static pid_t spawn(const char *dir, int out)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	dup2(out, STDOUT_FILENO);
	if (chdir(dir) == 0)
		execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert", "-key", "key", "-www",
		       NULL);
	_exit(127);
}

static struct server server_start(void)
{
	struct server s = {.dir = unit_make_dir()};
	AUTO(mem_free)
	char *make = mem_printf("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3 "
				"-subj /CN=elsewhere.example -keyout key -out cert 2>/dev/null",
				s.dir);
	char line[256], at[128];
	int pipe_fds[2];

	assert_int_equal(system(make), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	s.pid = spawn(s.dir, pipe_fds[1]);
	close(pipe_fds[1]);
	s.out = fdopen(pipe_fds[0], "r");
	while (s.address == NULL) {
		assert_non_null(fgets(line, sizeof(line), s.out));
		if (sscanf(line, "ACCEPT %127s", at) == 1)
			s.address = mem_strdup(at);
	}
	return s;
}

static void what_the_server_shows_is_told_whomever_it_is_for(void **state)
{
	AUTO(server_end) struct server s = server_start();
	struct certificate_watch watch = {0};
	int64_t ends_s = 0, now_s = clock_wall_us() / 1000000;
	struct err err;

	(void)state;
	assert_ok(certificate_look(&watch, s.address, &ends_s, &err));
	assert_in_range(ends_s, now_s + 3 * DAY_S - 600, now_s + 3 * DAY_S + 600);
	assert_true(watch.due_us > clock_mono_us());

	ends_s = 7; /* it is not asked again before it is time */
	assert_ok(certificate_look(&watch, s.address, &ends_s, &err));
	assert_int_equal(ends_s, 7);
	watch.due_us = 0;
	assert_ok(certificate_look(&watch, s.address, &ends_s, &err));
	assert_true(ends_s > now_s);
}

static void nobody_there_is_worth_one_line_after_a_while_and_what_was_known_stays(void **state)
{
	struct certificate_watch watch = {0};
	int64_t ends_s = 7;
	int complaints = 0;
	struct err err;

	(void)state;
	for (int i = 0; i < 40; i++) {
		watch.due_us = 0;
		if (certificate_look(&watch, "127.0.0.1:1", &ends_s, &err) < 0) {
			complaints++;
			assert_non_null(strstr(err.msg, "nginx at 127.0.0.1:1: "));
		}
	}
	assert_int_equal(complaints, 1);
	assert_int_equal(ends_s, 7);
}

static void without_an_address_nothing_is_told(void **state)
{
	struct certificate_watch watch = {0};
	int64_t ends_s = 7;
	struct err err;

	(void)state;
	assert_ok(certificate_look(&watch, "", &ends_s, &err));
	assert_int_equal(ends_s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_server_shows_is_told_whomever_it_is_for),
		cmocka_unit_test(nobody_there_is_worth_one_line_after_a_while_and_what_was_known_stays),
		cmocka_unit_test(without_an_address_nothing_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
