#include "master/resources/settings.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

/* Settings from a file with this text (NULL: no file). */
struct source {
	char *dir, *path;
	struct settings settings;
};

static void source_free(struct source *s)
{
	settings_free(&s->settings);
	mem_free(&s->path);
	unit_remove_dir(&s->dir);
}

static struct source source_make(const char *text)
{
	struct source s = {.dir = unit_make_dir()};

	s.path = mem_printf("%s/berth.conf", s.dir);
	s.settings = (struct settings){.path = s.path, SETTINGS_NO_FDS};
	if (text != NULL)
		unit_write_file(s.path, text);
	return s;
}

/* What a child finds in the shared file. */
static int64_t shared_workers(const struct source *s)
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	assert_ok(conf_load_fd(s->settings.read_fd, &conf, &err));
	return conf->control_workers;
}

static void a_missing_file_is_an_error(void **state)
{
	AUTO(source_free) struct source s = source_make(NULL);
	struct err err;

	(void)state;
	assert_fails(settings_read(&s.settings, &err), "No such file");
}

static void children_read_what_the_master_has_read(void **state)
{
	AUTO(source_free) struct source s = source_make("[control]\nworkers = 7\n");
	struct err err;

	(void)state;
	assert_ok(settings_read(&s.settings, &err));
	assert_ok(settings_share(&s.settings, &err));
	assert_int_equal(shared_workers(&s), 7);
	assert_int_equal(write(s.settings.read_fd, "x", 1), -1);
}

/* The connection string that a child finds in one of the shared files. */
static void assert_conninfo(int fd, const char *wanted)
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	assert_ok(conf_load_fd(fd, &conf, &err));
	assert_string_equal(conf->database_conninfo, wanted);
}

static void who_does_not_use_postgresql_is_not_told_how_to_connect(void **state)
{
	AUTO(source_free) struct source s = source_make("[database]\nconninfo = host=db password=secret\n");
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	(void)state;
	assert_ok(settings_read(&s.settings, &err));
	assert_ok(settings_share(&s.settings, &err));
	assert_conninfo(s.settings.read_fd, "host=db password=secret");
	assert_conninfo(s.settings.bare_fd, "");
	assert_ok(settings_reload(&s.settings, &ignored, &err));
	assert_conninfo(s.settings.read_fd, "host=db password=secret");
	assert_conninfo(s.settings.bare_fd, "");
	assert_string_equal(s.settings.conf->database_conninfo, "host=db password=secret");
	assert_int_equal(write(s.settings.bare_fd, "x", 1), -1);
}

static void other_users_can_open_the_shared_file_for_reading_only(void **state)
{
	AUTO(source_free) struct source s = source_make("");
	struct stat st;
	struct err err;

	(void)state;
	assert_ok(settings_read(&s.settings, &err));
	assert_ok(settings_share(&s.settings, &err));
	assert_int_equal(fstat(s.settings.read_fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0444);
}

static void a_reload_rewrites_the_shared_file_in_place(void **state)
{
	AUTO(source_free) struct source s = source_make("[control]\nworkers = 7\n[database]\nconninfo = host=/a/long/path\n");
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	(void)state;
	assert_ok(settings_read(&s.settings, &err));
	assert_ok(settings_share(&s.settings, &err));
	unit_write_file(s.path, "[control]\nworkers = 8\n[database]\nconninfo = x\n");
	assert_ok(settings_reload(&s.settings, &ignored, &err));
	assert_string_equal(buf_str(&ignored), "database.conninfo");
	assert_int_equal(s.settings.conf->control_workers, 8);
	assert_string_equal(s.settings.conf->database_conninfo, "host=/a/long/path");
	assert_int_equal(shared_workers(&s), 8);
	assert_int_equal(unlink(s.path), 0);
	assert_fails(settings_reload(&s.settings, &ignored, &err), "No such file");
	assert_int_equal(shared_workers(&s), 8);
}

static void a_reload_of_a_bad_file_changes_nothing(void **state)
{
	AUTO(source_free) struct source s = source_make("[control]\nworkers = 7\n");
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	(void)state;
	assert_ok(settings_read(&s.settings, &err));
	assert_ok(settings_share(&s.settings, &err));
	unit_write_file(s.path, "[control]\nworkers = 0\n");
	assert_fails(settings_reload(&s.settings, &ignored, &err), "control.workers");
	assert_int_equal(s.settings.conf->control_workers, 7);
	assert_int_equal(shared_workers(&s), 7);
}

static void a_default_runtime_nobody_knows_is_refused(void **state)
{
	static const char bad[] = "[sandbox]\ndefault_runtime = runc\n";
	static const char message[] = "/berth.conf: sandbox.default_runtime = 'runc' is none of docker, gvisor";
	AUTO(source_free) struct source at_start = source_make(bad);
	AUTO(source_free) struct source s = source_make("[sandbox]\ndefault_runtime = docker\n");
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	(void)state;
	assert_fails(settings_read(&at_start.settings, &err), message);
	assert_null(at_start.settings.conf);
	assert_ok(settings_read(&s.settings, &err));
	assert_ok(settings_share(&s.settings, &err));
	unit_write_file(s.path, bad);
	assert_fails(settings_reload(&s.settings, &ignored, &err), message);
	assert_string_equal(s.settings.conf->sandbox_default_runtime, "docker");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_file_is_an_error),
		cmocka_unit_test(children_read_what_the_master_has_read),
		cmocka_unit_test(who_does_not_use_postgresql_is_not_told_how_to_connect),
		cmocka_unit_test(other_users_can_open_the_shared_file_for_reading_only),
		cmocka_unit_test(a_reload_rewrites_the_shared_file_in_place),
		cmocka_unit_test(a_reload_of_a_bad_file_changes_nothing),
		cmocka_unit_test(a_default_runtime_nobody_knows_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
