#include "collector/spool_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/unit/collector/spool_fixture.h"
#include "tests/unit/unit.h"

#define UUID "0192d3a0-0000-7000-8000-000000000000"

struct fixture {
	struct spool_fixture dir;
	struct spool *spool;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = {0};

	spool_fixture_make(&f->dir);
	assert_ok(spool_open(f->dir.spool_dir, "node-1", &f->spool, &err));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	spool_close(&f->spool);
	spool_fixture_remove(&f->dir);
	free(f);
	return 0;
}

/* An empty file that was made age_s ago; its descriptor. */
static int make_file(struct fixture *f, const char *name, int64_t age_s)
{
	int fd = openat(f->dir.dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	struct timespec then = {.tv_sec = clock_wall_us() / 1000000 - age_s};

	assert_true(fd >= 0);
	assert_int_equal(futimens(fd, (struct timespec[]){then, then}), 0);
	return fd;
}

static bool is_there_after_a_scan(struct fixture *f, const char *name)
{
	struct err err = {0};

	assert_ok(spool_scan(f->spool, &err));
	return file_size(&f->dir, name) >= 0;
}

static void what_a_killed_writer_did_not_even_begin_is_removed_after_a_minute(void **state)
{
	struct fixture *f = *state;
	AUTO(fd_close) int young = make_file(f, UUID RECORD_NEW_SUFFIX, 50);
	struct timespec old = {.tv_sec = clock_wall_us() / 1000000 - 61};

	assert_true(is_there_after_a_scan(f, UUID RECORD_NEW_SUFFIX));
	assert_int_equal(futimens(young, (struct timespec[]){old, old}), 0);
	assert_false(is_there_after_a_scan(f, UUID RECORD_NEW_SUFFIX));
}

static void a_new_file_stays_as_long_as_somebody_has_locked_it(void **state)
{
	struct fixture *f = *state;
	AUTO(fd_close) int writer = make_file(f, UUID RECORD_NEW_SUFFIX, 3600);

	assert_int_equal(flock(writer, LOCK_EX | LOCK_NB), 0);
	assert_true(is_there_after_a_scan(f, UUID RECORD_NEW_SUFFIX));
	fd_close(&writer);
	assert_false(is_there_after_a_scan(f, UUID RECORD_NEW_SUFFIX));
}

#define NEWER ".99.spool" /* no version that there is */

static void other_names_are_never_removed(void **state)
{
	static const char *const names[] = {"id.new", "x" UUID ".new", UUID ".newer",     UUID,
					    "notes",  UUID ".spool",   UUID ".spool.new", UUID NEWER};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(fd_close) int fd = make_file(f, names[i], 3600);
		assert_true(is_there_after_a_scan(f, names[i]));
	}
}

/* It is for a newer collector to read. */
static void a_file_of_a_newer_version_is_left_alone(void **state)
{
	struct fixture *f = *state;
	AUTO(fd_close) int fd = make_file(f, UUID NEWER, 3600), known = make_file(f, UUID RECORD_FILE_SUFFIX, 3600);

	assert_true(is_there_after_a_scan(f, UUID NEWER));
	assert_null(spool_find(f->spool, UUID NEWER));
	assert_non_null(spool_find(f->spool, UUID RECORD_FILE_SUFFIX));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void a_spool_keeps_its_id(void **state)
{
	struct fixture *f = *state;
	AUTO(spool_close) struct spool *again = NULL;
	struct err err = {0};

	assert_ok(spool_open(f->dir.spool_dir, "node-1", &again, &err));
	assert_string_equal(again->id, f->spool->id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_killed_writer_did_not_even_begin_is_removed_after_a_minute),
		TEST(a_new_file_stays_as_long_as_somebody_has_locked_it),
		TEST(a_file_of_a_newer_version_is_left_alone),
		TEST(other_names_are_never_removed),
		TEST(a_spool_keeps_its_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
