#include "api/memory.h"

#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/log.h"
#include "tests/unit/unit.h"

#define MB (1 << 20)

/* Under tools that have an allocator of their own there is nothing to see. */
static bool is_glibc(void)
{
	return mallinfo2().uordblks > 0;
}

static long resident_mb(void)
{
	FILE *in = fopen("/proc/self/statm", "re");
	long size, resident;

	assert_non_null(in);
	assert_int_equal(fscanf(in, "%ld %ld", &size, &resident), 2);
	fclose(in);
	return resident * sysconf(_SC_PAGESIZE) / MB;
}

static void small_pieces_are_given_back_whatever_was_made_after_them(void **state)
{
	(void)state;
	if (!is_glibc())
		UNIT_SKIP("another allocator");
	json_t *many = json_array();
	for (int i = 0; i < 500000; i++)
		json_array_append_new(many, json_object());
	long full = resident_mb();
	json_t *last = json_string("stays above all that");
	json_decref(many);
	memory_trim();
	assert_true(full > 60);
	assert_true(resident_mb() < full / 4);
	json_decref(last);
}

/* In a process of its own: what it does with 256 MB. Returns its exit status; text is what it logged. */
static int run_bounded(void (*spend)(void), char *text, size_t size)
{
	int ends[2], status;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		AUTO(conf_free) struct conf *conf = NULL;
		struct err err = {0};
		dup2(ends[1], STDERR_FILENO);
		log_init("control/2", LOG_INFO);
		log_set_request("the-request");
		conf_load_file(NULL, &conf, NULL);
		conf->control_memory_mb = 256;
		if (memory_bound(conf, &err) < 0)
			_exit(99);
		spend();
		_exit(0);
	}
	close(ends[1]);
	size_t len = 0;
	for (ssize_t n; (n = read(ends[0], text + len, size - 1 - len)) > 0;)
		len += (size_t)n;
	text[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void spend_little(void)
{
	json_t *text = json_string("hello");

	json_decref(text);
}

static void spend_on_json(void)
{
	json_t *many = json_array();

	for (;;)
		json_array_append_new(many, json_object());
}

static void spend_on_bytes(void)
{
	AUTO(buf_free) struct buf bytes = {0};

	for (;;)
		buf_add_str(&bytes, "one byte after the other");
}

static void who_needs_more_than_it_may_have_ends_and_says_so(void **state)
{
	static void (*const spenders[])(void) = {spend_on_json, spend_on_bytes};
	char text[1000];

	(void)state;
	if (!is_glibc())
		UNIT_SKIP("another allocator");
	assert_int_equal(run_bounded(spend_little, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	for (size_t i = 0; i < ARRAY_SIZE(spenders); i++) {
		assert_int_equal(run_bounded(spenders[i], text, sizeof(text)), 70);
		assert_non_null(strstr(text, " level=error proc=control/2 "));
		assert_non_null(strstr(text, " req=\"the-request\" msg=\"out of memory: "));
		assert_non_null(strstr(text, "limit of this process, which is 256 MB"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_pieces_are_given_back_whatever_was_made_after_them),
		cmocka_unit_test(who_needs_more_than_it_may_have_ends_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
