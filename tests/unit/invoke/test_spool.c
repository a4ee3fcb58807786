#include "invoke/spool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

#define PATH_SIZE 512

struct fixture {
	char *dir;
	struct conf *conf;
	struct slot slot;
	_Atomic uint64_t spooled;
	struct spool *spool;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = unit_make_dir();
	assert_int_equal(conf_load_file(NULL, &f->conf, NULL), 0);
	free(f->conf->master_state_dir);
	f->conf->master_state_dir = strdup(f->dir);
	f->spool = spool_new(f->conf, &f->slot, &f->spooled);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	spool_free(&f->spool);
	conf_free(&f->conf);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

static void append(struct fixture *f, const char *log, uint32_t len)
{
	struct record r = {.invocation_id = uuid_new(),
			   .request_id = STR("req-1"),
			   .start_kind = IPC_START_WARM,
			   .runtime = STR("docker"),
			   .status = 200,
			   .error_code = STR(""),
			   .error_message = STR(""),
			   .log = {log, len}};

	spool_append(f->spool, &r);
}

/* The spool files' names, sorted by age; returns how many there are. */
static int list(const struct fixture *f, char paths[][PATH_SIZE], int max)
{
	char dir_path[200];
	int count = 0;

	snprintf(dir_path, sizeof(dir_path), "%s/spool", f->dir);
	DIR *dir = opendir(dir_path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		assert_non_null(strstr(e->d_name, ".spool"));
		assert_true(count < max);
		snprintf(paths[count++], PATH_SIZE, "%s/%s", dir_path, e->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

/* How many whole records a file has; everything in it must belong to one, under the key in its name. */
static int count_records(const char *path)
{
	char *text;
	size_t len, at = 0;
	struct record r;
	struct err err = {0};
	struct uuid key;
	int count = 0;

	assert_true(record_file_key(strrchr(path, '/') + 1, RECORD_FILE_SUFFIX, &key));
	assert_ok(fd_read_file(path, 1 << 26, &text, &len, &err));
	for (ptrdiff_t n; at < len; at += (size_t)n, count++) {
		n = record_decode(text + at, len - at, &key, &r, &err);
		assert_true(n > 0);
		assert_true(r.status == 200 && r.request_id.len == 5);
	}
	free(text);
	return count;
}

static bool is_locked(const char *path)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return flock(fd, LOCK_EX | LOCK_NB) < 0;
}

static void no_file_is_made_before_the_first_record(void **state)
{
	char paths[2][PATH_SIZE];

	assert_int_equal(list(*state, paths, 2), 0);
	append(*state, "", 0);
	assert_int_equal(list(*state, paths, 2), 1);
}

static void records_are_appended_to_a_locked_file(void **state)
{
	struct fixture *f = *state;
	char paths[2][PATH_SIZE];

	append(f, "a\0b", 3);
	append(f, "", 0);
	append(f, "xyz", 3);
	assert_int_equal(list(f, paths, 2), 1);
	assert_int_equal(count_records(paths[0]), 3);
	assert_true(is_locked(paths[0]));
	spool_free(&f->spool);
	assert_false(is_locked(paths[0]));
}

static void a_file_that_grew_too_large_is_finished_and_unlocked(void **state)
{
	struct fixture *f = *state;
	char paths[4][PATH_SIZE], *log = calloc(1, 40000);
	int locked = 0, records = 0;

	f->conf->spool_file_bytes = 65536;
	for (int i = 0; i < 5; i++)
		append(f, log, 40000);
	int count = list(f, paths, 4);
	assert_int_equal(count, 3);
	for (int i = 0; i < count; i++) {
		locked += is_locked(paths[i]);
		records += count_records(paths[i]);
	}
	assert_int_equal(locked, 1);
	assert_int_equal(records, 5);
	assert_int_equal(f->slot.dropped_records, 0);
	free(log);
}

static void beyond_the_quota_records_are_dropped_and_counted(void **state)
{
	struct fixture *f = *state;
	char paths[2][PATH_SIZE];

	f->conf->spool_quota_mb = 1;
	f->spooled = (1 << 20) - 1;
	append(f, "", 0);
	f->spooled = 1 << 20;
	append(f, "", 0);
	append(f, "", 0);
	assert_int_equal(f->slot.dropped_records, 2);
	f->spooled = 0;
	append(f, "", 0);
	assert_int_equal(list(f, paths, 2), 1);
	assert_int_equal(count_records(paths[0]), 2);
}

static void nothing_is_recorded_when_the_settings_say_so(void **state)
{
	struct fixture *f = *state;
	char paths[2][PATH_SIZE];

	f->conf->spool_enabled = 0;
	append(f, "", 0);
	assert_int_equal(list(f, paths, 2), 0);
	assert_int_equal(f->slot.dropped_records, 0);
}

/* RLIMIT_FSIZE ends a write in the middle, as a full disk does. */
static void a_record_that_did_not_fit_leaves_no_half_behind(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, small = {.rlim_cur = 5000, .rlim_max = RLIM_INFINITY};
	char paths[2][PATH_SIZE], *log = calloc(1, 4000);
	struct stat st;

	signal(SIGXFSZ, SIG_IGN);
	append(f, "", 0);
	list(f, paths, 2);
	assert_int_equal(stat(paths[0], &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	small.rlim_cur = (rlim_t)st.st_size + 2000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	append(f, log, 4000);
	append(f, log, 4000);
	append(f, "small", 5);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	append(f, log, 4000);

	assert_int_equal(f->slot.dropped_records, 2);
	assert_int_equal(list(f, paths, 2), 1);
	assert_int_equal(count_records(paths[0]), 3);
	free(log);
}

static void a_directory_that_cannot_be_written_costs_the_record_only(void **state)
{
	struct fixture *f = *state;
	char path[200], paths[2][PATH_SIZE];

	snprintf(path, sizeof(path), "%s/spool", f->dir);
	unit_write_file(path, "in the way");
	append(f, "", 0);
	assert_int_equal(f->slot.dropped_records, 1);
	assert_int_equal(unlink(path), 0);
	append(f, "", 0);
	assert_int_equal(list(f, paths, 2), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(no_file_is_made_before_the_first_record),
		TEST(records_are_appended_to_a_locked_file),
		TEST(a_file_that_grew_too_large_is_finished_and_unlocked),
		TEST(beyond_the_quota_records_are_dropped_and_counted),
		TEST(nothing_is_recorded_when_the_settings_say_so),
		TEST(a_record_that_did_not_fit_leaves_no_half_behind),
		TEST(a_directory_that_cannot_be_written_costs_the_record_only),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
