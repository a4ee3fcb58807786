#include "control/functions/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <time.h>

#include "base/mem.h"
#include "tests/unit/unit.h"

static void the_same_code_always_makes_the_same_bytes(void **state)
{
	AUTO(pack_free) struct pack a = {0}, b = {0}, c = {0};
	struct err err = {0};

	(void)state;
	assert_ok(pack_build("main.py", "x = 1\n", 6, &a, &err));
	sleep(1); /* a time stamp would differ now */
	assert_ok(pack_build("main.py", "x = 1\n", 6, &b, &err));
	assert_ok(pack_build("main.js", "x = 1\n", 6, &c, &err));
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.archive, b.archive, a.len);
	assert_string_equal(a.sha256, b.sha256);
	assert_string_not_equal(a.sha256, c.sha256);
	assert_int_equal(strlen(a.sha256), 64);
}

static void the_archive_has_the_one_file_read_only(void **state)
{
	AUTO(pack_free) struct pack p = {0};
	struct err err = {0};
	struct archive_entry *entry;
	char code[16] = {0};

	(void)state;
	assert_ok(pack_build("main.py", "a\0b", 3, &p, &err));
	struct archive *a = archive_read_new();
	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_memory(a, p.archive, p.len), ARCHIVE_OK);
	assert_int_equal(archive_read_next_header(a, &entry), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(entry), "main.py");
	assert_int_equal(archive_entry_perm(entry), 0444);
	assert_int_equal(archive_entry_filetype(entry), AE_IFREG);
	assert_int_equal(archive_entry_mtime(entry), 0);
	assert_int_equal(archive_read_data(a, code, sizeof(code)), 3);
	assert_memory_equal(code, "a\0b", 3);
	assert_int_equal(archive_read_next_header(a, &entry), ARCHIVE_EOF);
	archive_read_free(a);
}

static void an_archive_is_not_padded_to_tape_blocks(void **state)
{
	AUTO(pack_free) struct pack p = {0};
	struct err err = {0};

	(void)state;
	assert_ok(pack_build("main.py", "", 0, &p, &err));
	assert_int_equal(p.len, 512 + 1024);
}

static void the_file_is_the_one_that_the_handler_names(void **state)
{
	static const char *const cases[][3] = {
		{"main.handler", "main.py", "main.py"},
		{"index.handler", "main.js", "index.js"},
		{"lambda_function.lambda_handler", "main.py", "lambda_function.py"},
		{"main.api.run", "main.js", "main.js"},
		{"src.d/api.v2.handler", "main.js", "src.d/api.js"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem_free) char *name = pack_file_name_new(cases[i][0], cases[i][1]);
		assert_string_equal(name, cases[i][2]);
	}
}

static void a_name_may_be_as_long_as_a_handler(void **state)
{
	AUTO(pack_free) struct pack p = {0};
	AUTO(mem_free) char *name = mem_printf("%0128d.py", 1);
	struct archive_entry *entry;
	struct err err = {0};

	(void)state;
	assert_ok(pack_build(name, "x", 1, &p, &err));
	struct archive *a = archive_read_new();
	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_memory(a, p.archive, p.len), ARCHIVE_OK);
	assert_int_equal(archive_read_next_header(a, &entry), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(entry), name);
	archive_read_free(a);
}

/* The hash is the name of packages that are stored already. */
static void the_bytes_are_those_of_earlier_versions(void **state)
{
	AUTO(pack_free) struct pack p = {0};
	struct err err = {0};

	(void)state;
	assert_ok(pack_build("main.py", "x = 1\n", 6, &p, &err));
	assert_string_equal(p.sha256, "2b835dcfcafca0b5a1453c41adee8f67209fc83c7d19ee43593a0bb08aeb35b1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_code_always_makes_the_same_bytes),
		cmocka_unit_test(the_archive_has_the_one_file_read_only),
		cmocka_unit_test(an_archive_is_not_padded_to_tape_blocks),
		cmocka_unit_test(the_file_is_the_one_that_the_handler_names),
		cmocka_unit_test(a_name_may_be_as_long_as_a_handler),
		cmocka_unit_test(the_bytes_are_those_of_earlier_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
