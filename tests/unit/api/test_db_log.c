#include "api/db_log.h"

#include <sys/mman.h>

#include "base/log.h"
#include "conf/conf.h"
#include "db/db.h"
#include "tests/unit/unit.h"

/* A client of a server that is not there. */
static struct db *lost_db(const struct conf *conf)
{
	struct db *db = db_new(conf, "test");
	struct err err;

	assert_fails(db_ping(db, &err), "");
	return db;
}

/* What db_log_news writes to the log. */
static void logged(struct db *db, char *text, size_t size)
{
	int file = memfd_create("log", MFD_CLOEXEC), was = dup(STDERR_FILENO);

	assert_true(file >= 0 && was >= 0);
	dup2(file, STDERR_FILENO);
	db_log_news(db);
	dup2(was, STDERR_FILENO);
	ssize_t len = pread(file, text, size - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	close(file);
	close(was);
}

static void that_postgresql_is_away_is_logged_once(void **state)
{
	AUTO(conf_free) struct conf *conf = NULL;
	char text[1000];
	struct err err;

	(void)state;
	assert_ok(conf_load_file("/dev/null", &conf, &err));
	free(conf->database_conninfo);
	conf->database_conninfo = strdup("host=/nonexistent");
	AUTO(db_free) struct db *db = lost_db(conf);
	log_init("control/2", LOG_INFO);
	logged(db, text, sizeof(text));
	assert_non_null(strstr(text, " level=warn proc=control/2 "));
	assert_non_null(strstr(text, "/nonexistent"));
	logged(db, text, sizeof(text));
	assert_string_equal(text, "");
}

static void a_client_that_asked_nothing_has_no_news(void **state)
{
	AUTO(conf_free) struct conf *conf = NULL;
	char text[1000];
	struct err err;

	(void)state;
	assert_ok(conf_load_file("/dev/null", &conf, &err));
	AUTO(db_free) struct db *db = db_new(conf, "test");
	logged(db, text, sizeof(text));
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(that_postgresql_is_away_is_logged_once),
		cmocka_unit_test(a_client_that_asked_nothing_has_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
