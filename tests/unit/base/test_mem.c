#include "base/mem.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

static void new_memory_is_zero(void **state)
{
	AUTO(mem_free) char *p = mem_alloc(100);

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
}

static void nothing_at_all_can_be_allocated(void **state)
{
	AUTO(mem_free) void *p = mem_alloc(0);

	(void)state;
	assert_non_null(p);
	p = mem_realloc(p, 0);
	assert_non_null(p);
}

static void texts_are_copied(void **state)
{
	AUTO(mem_free) char *whole = mem_strdup("hello");
	AUTO(mem_free) char *part = mem_strndup("hello", 2);
	AUTO(mem_free) char *made = mem_printf("%s %d", "hello", 7);

	(void)state;
	assert_string_equal(whole, "hello");
	assert_string_equal(part, "he");
	assert_string_equal(made, "hello 7");
}

static void freeing_sets_null_and_can_be_repeated(void **state)
{
	char *p = mem_strdup("x");

	(void)state;
	mem_free(&p);
	assert_null(p);
	mem_free(&p);
}

static void running_out_of_memory_ends_the_process(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		volatile size_t far_too_much = SIZE_MAX / 4;
		fclose(stderr);
		mem_realloc(NULL, far_too_much);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 0);
}

static void of_a_limit_that_was_reached_the_log_tells(void **state)
{
	char text[500] = "";
	int ends[2], status;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	UNIT_SKIP("the sanitizer needs terabytes of addresses");
#endif
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		volatile size_t far_too_much = SIZE_MAX / 4;
		dup2(ends[1], STDERR_FILENO);
		setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)8 << 30, (rlim_t)8 << 30});
		mem_realloc(NULL, far_too_much);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "level=error"));
	assert_non_null(strstr(text, "msg=\"out of memory: 4611686018427387903 bytes more"));
	assert_non_null(strstr(text, "which is 8192 MB"));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_is_zero),
		cmocka_unit_test(nothing_at_all_can_be_allocated),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(freeing_sets_null_and_can_be_repeated),
		cmocka_unit_test(running_out_of_memory_ends_the_process),
		cmocka_unit_test(of_a_limit_that_was_reached_the_log_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
