/* The test is the owner's loop: one poll() and one step at a time. */
#include "db/db_async.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

static const struct db_statement twice = {.name = "twice", .sql = "select 2 * $1::integer", .param_count = 1, .reads = true};
static const struct db_statement nap = {.name = "nap", .sql = "select pg_sleep(3600)", .reads = true};
static const struct db_statement refused = {.name = "refused", .sql = "select 1 / 0", .reads = true};
static const struct db_statement writes = {.name = "writes", .sql = "select pg_sleep(3600) from nextval('tries')"};
static const struct db_statement *const prepared[] = {&twice, &nap, &refused, &writes};

static struct {
	int connected, closed, lost;
	char why[600], payload[64];
} seen;

static void on_connected(void *arg)
{
	(void)arg;
	seen.connected++;
}

static void on_closes(void *arg)
{
	(void)arg;
	seen.closed++;
}

static void on_lost(const struct err *why, void *arg)
{
	(void)arg;
	seen.lost++;
	snprintf(seen.why, sizeof(seen.why), "%s", why->msg);
}

static void on_notified(const char *payload, void *arg)
{
	(void)arg;
	snprintf(seen.payload, sizeof(seen.payload), "%s", payload);
}

static const struct db_async_plan plan = {
	.application = "test-async",
	.listen = "news",
	.prepared = prepared,
	.prepared_count = ARRAY_SIZE(prepared),
	.hooks = {on_connected, on_closes, on_lost, on_notified, NULL},
};

struct answer {
	int calls, code;
	char text[600]; /* the value, or the error */
};

static void on_answer(const struct err *err, const PGresult *r, void *arg)
{
	struct answer *a = arg;

	a->calls++;
	a->code = err != NULL ? err->code : 0;
	snprintf(a->text, sizeof(a->text), "%s", err != NULL ? err->msg : PQgetvalue(r, 0, 0));
}

static struct db_async *start(const struct fixture *f)
{
	memset(&seen, 0, sizeof(seen));
	return db_async_new(f->conf, &plan);
}

static void step(struct db_async *db)
{
	const struct db_async_wait w = db_async_wait(db);
	struct pollfd p = {.fd = w.fd, .events = w.events};
	int64_t began_us = clock_mono_us();

	if (poll(&p, 1, MIN(clock_left_ms(w.due_us), 10000)) < 0)
		p.revents = 0;
	assert_true(clock_mono_us() - began_us < 10000000); /* a time or an event is always near */
	began_us = clock_mono_us();
	db_async_step(db, p.revents);
	assert_true(clock_mono_us() - began_us < 1000000);
}

#define STEP_UNTIL(db, condition)                                                                                              \
	while (!(condition))                                                                                                   \
	step(db)

static void ask(struct db_async *db, const struct db_statement *statement, const struct db_param *params, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	db_async_ask(db, statement, params, on_answer, a);
	assert_int_equal(a->calls, 0); /* never called from within db_async_ask */
}

static void what_is_asked_before_there_is_a_connection_is_answered_in_order(void **state)
{
	AUTO(db_async_free) struct db_async *db = start(*state);
	const struct db_param params[] = {db_int(4), db_int(21)};
	struct answer a[2];

	assert_string_not_equal(db_async_problem(db), "");
	ask(db, &twice, &params[0], &a[0]);
	ask(db, &twice, &params[1], &a[1]);
	STEP_UNTIL(db, a[0].calls > 0);
	assert_int_equal(a[1].calls, 0);
	STEP_UNTIL(db, a[1].calls > 0);
	assert_string_equal(a[0].text, "8");
	assert_string_equal(a[1].text, "42");
	assert_int_equal(seen.connected, 1);
	assert_string_equal(db_async_problem(db), "");
	STEP_UNTIL(db, db_async_wait(db).due_us == INT64_MAX);
}

static void a_refusal_costs_one_question_and_not_the_connection(void **state)
{
	AUTO(db_async_free) struct db_async *db = start(*state);
	const struct db_param param = db_int(4);
	struct answer a, b;

	ask(db, &refused, NULL, &a);
	ask(db, &twice, &param, &b);
	STEP_UNTIL(db, b.calls > 0);
	assert_int_equal(a.code, EINVAL);
	assert_non_null(strstr(a.text, "division by zero"));
	assert_string_equal(b.text, "8");
	assert_int_equal(seen.lost, 0);
}

static void who_listens_hears(void **state)
{
	AUTO(db_async_free) struct db_async *db = start(*state);

	STEP_UNTIL(db, seen.connected > 0);
	pg_scratch_exec(pg, "notify news, 'hear, hear'");
	STEP_UNTIL(db, seen.payload[0] != '\0');
	assert_string_equal(seen.payload, "hear, hear");
}

static void one_that_takes_too_long_is_told_so_and_what_waits_behind_is_answered(void **state)
{
	struct fixture *f = *state;
	AUTO(db_async_free) struct db_async *db = NULL;
	const struct db_param param = db_int(4);
	struct answer a, b;

	f->conf->database_statement_timeout_ms = 100;
	db = start(f);
	ask(db, &nap, NULL, &a);
	ask(db, &twice, &param, &b);
	STEP_UNTIL(db, b.calls > 0);
	assert_int_equal(a.code, ETIMEDOUT); /* the server enforces its timeout */
	assert_string_equal(b.text, "8");
}

static void end_session(void)
{
	pg_scratch_exec(pg, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test-async'");
}

/* Waits until the server executes the statement. */
static void wait_until_active(struct db_async *db, const char *query)
{
	STEP_UNTIL(db, seen.connected > 0);
	while (pg_scratch_number(pg,
				 "select count(*) from pg_stat_activity where application_name = 'test-async' "
				 "and state = 'active' and query like '%%%s%%'",
				 query) == 0)
		;
}

static void a_question_that_only_reads_is_asked_again_when_the_connection_is_lost_under_it_but_once(void **state)
{
	AUTO(db_async_free) struct db_async *db = start(*state);
	struct answer a;

	ask(db, &nap, NULL, &a);
	wait_until_active(db, "pg_sleep");
	end_session();
	STEP_UNTIL(db, seen.connected > 1);
	assert_int_equal(a.calls, 0);
	wait_until_active(db, "pg_sleep");
	end_session();
	STEP_UNTIL(db, a.calls > 0);
	assert_int_equal(a.code, ENOTCONN);
	assert_int_equal(seen.closed, 2);
}

static void one_that_writes_is_not(void **state)
{
	AUTO(db_async_free) struct db_async *db = start(*state);
	struct answer a;

	ask(db, &writes, NULL, &a);
	wait_until_active(db, "nextval");
	end_session();
	STEP_UNTIL(db, a.calls > 0);
	assert_int_equal(a.code, ENOTCONN);
	assert_int_equal(seen.connected, 1);
}

static void while_postgresql_is_away_questions_are_answered_with_that_and_later_it_is_back(void **state)
{
	AUTO(db_async_free) struct db_async *db = start(*state);
	const struct db_param param = db_int(4);
	struct answer a;

	STEP_UNTIL(db, seen.connected > 0);
	pg_scratch_stop(pg);
	STEP_UNTIL(db, seen.lost > 0);
	ask(db, &twice, &param, &a);
	STEP_UNTIL(db, a.calls > 0);
	assert_int_equal(a.code, ENOTCONN);
	assert_non_null(strstr(db_async_problem(db), "cannot be reached"));
	assert_true(db_async_retry_ms(db) >= 200);
	pg_scratch_start(pg);
	STEP_UNTIL(db, seen.connected > 1);
	ask(db, &twice, &param, &a);
	STEP_UNTIL(db, a.calls > 0);
	assert_string_equal(a.text, "8");
}

static void a_new_timeout_reaches_the_session(void **state)
{
	struct fixture *f = *state;
	AUTO(conf_free) struct conf *changed = pg_scratch_conf(pg);
	AUTO(db_async_free) struct db_async *db = start(f);
	struct answer a;

	STEP_UNTIL(db, seen.connected > 0);
	changed->database_statement_timeout_ms = 50;
	db_async_set_conf(db, changed);
	ask(db, &nap, NULL, &a);
	STEP_UNTIL(db, a.calls > 0);
	assert_int_equal(a.code, ETIMEDOUT);
	assert_int_equal(seen.lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(what_is_asked_before_there_is_a_connection_is_answered_in_order),
		DB_TEST(a_refusal_costs_one_question_and_not_the_connection),
		DB_TEST(who_listens_hears),
		DB_TEST(one_that_takes_too_long_is_told_so_and_what_waits_behind_is_answered),
		DB_TEST(a_question_that_only_reads_is_asked_again_when_the_connection_is_lost_under_it_but_once),
		DB_TEST(one_that_writes_is_not),
		DB_TEST(while_postgresql_is_away_questions_are_answered_with_that_and_later_it_is_back),
		DB_TEST(a_new_timeout_reaches_the_session),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
