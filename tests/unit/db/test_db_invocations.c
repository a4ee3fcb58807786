#include "db/db_invocations.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

#define FUNCTION "11111111-1111-4111-8111-111111111111"
#define OTHER    "22222222-2222-4222-8222-222222222222"
#define NOON_S   1769860800ll /* 2026-01-31T12:00:00Z */
#define DAY_S    86400ll

/* There are partitions for 2026-01-29 to 2026-02-01. */
static int set_up(void **state)
{
	int rc = rig_set_up_migrated(state);

	pg_scratch_exec(pg,
			"do $$ begin perform ensure_metrics_partitions('2026-01-29'::date + i) from generate_series(0, 3) i; "
			"end $$");
	return rc;
}

static struct uuid id_at(int64_t at_us, uint8_t last)
{
	struct uuid id = {.bytes = {[6] = 0x70, [8] = 0x80, [15] = last}};

	for (int i = 0; i < 6; i++)
		id.bytes[i] = (unsigned char)((at_us / 1000) >> (40 - 8 * i));
	return id;
}

/* An invocation of FUNCTION that succeeded; its id has its time and ends in last. sets: SQL that changes the row, or "". */
static struct uuid add(int64_t at_us, uint8_t last, const char *sets)
{
	struct uuid id = id_at(at_us, last);
	char text[UUID_TEXT_SIZE];

	uuid_format(&id, text);
	pg_scratch_exec(
		pg,
		"insert into metrics (metric_id, function_id, version, request_id, request_timestamp, response_time_ms, "
		"queue_ms, init_ms, exec_ms, start_kind, runtime, status, error_flag, request_bytes, response_bytes, node, "
		"overhead_ms) values ('%s', '" FUNCTION "', 1, 'r', timestamptz 'epoch' + %" PRId64
		" * interval '1 microsecond', 12.5, 1, 0, 11, 'warm', 'docker', 200, false, 10, 20, 'here', 0.5)",
		text, at_us);
	if (sets[0] != '\0')
		pg_scratch_exec(pg, "update metrics set %s where metric_id = '%s'", sets, text);
	return id;
}

/* log: SQL. */
static void print(const struct uuid *id, const char *log)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(id, text);
	pg_scratch_exec(pg,
			"insert into invocation_logs (metric_id, function_id, request_timestamp, log, times, streams, "
			"log_bytes, orphan_bytes) "
			"select metric_id, function_id, request_timestamp, %s, '', '', length(%s), 0 from metrics where "
			"metric_id = '%s'",
			log, log, text);
}

/* The last digits of the ids that are found, in order: "3 2 1". */
static const char *found(struct fixture *f, const struct invocation_filter *filter)
{
	static char text[256];
	AUTO(db_result_clear) PGresult *r = NULL;
	struct invocation_filter with = *filter;
	struct err err;
	size_t len = 0;

	if (db_param_value(&with.function_id) == NULL)
		with.function_id = db_text(FUNCTION);
	if (db_param_value(&with.limit) == NULL)
		with.limit = db_int(100);
	assert_ok(db_invocations(f->db, &with, &r, &err));
	text[0] = '\0';
	for (int i = 0; i < PQntuples(r); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
					PQgetvalue(r, i, INVOCATION_ID) + UUID_TEXT_SIZE - 2);
	return text;
}

#define assert_found(expected, ...) assert_string_equal(found(f, &(struct invocation_filter){__VA_ARGS__}), expected)

static void each_filter_finds_what_it_names_and_no_other(void **state)
{
	struct fixture *f = *state;
	int64_t at_us = NOON_S * 1000000;

	add(at_us, 1, "");
	add(at_us + 1, 2, "status = 502, error_flag = true, error_code = 'function_error', error_message = 'it'");
	add(at_us + 2, 3, "version = 2, runtime = 'gvisor', start_kind = 'cold'");
	add(at_us + 3, 4, "response_time_ms = 250.5");
	add(at_us + 4, 5, "function_id = '" OTHER "'");
	assert_found("4 3 2 1");
	assert_found("5", .function_id = db_text(OTHER));
	assert_found("2", .failed = db_bool(true));
	assert_found("4 3 1", .failed = db_bool(false));
	assert_found("2", .status_least = db_int(500), .status_most = db_int(599));
	assert_found("4 3 1", .status_least = db_int(200), .status_most = db_int(200));
	assert_found("2", .error_code = db_text("function_error"));
	assert_found("3", .version = db_int(2));
	assert_found("3", .runtime = db_text("gvisor"));
	assert_found("4 2 1", .start_kind = db_text("warm"));
	assert_found("4", .slower_than_ms = db_int(250));
	assert_found("4 3", .from = db_time(at_us + 2));
	assert_found("2 1", .to = db_time(at_us + 2));
	pg_scratch_exec(pg,
			"update metrics set request_id = 'mine' where request_timestamp in (timestamptz 'epoch' + %" PRId64
			" * interval '1 microsecond', timestamptz 'epoch' + %" PRId64 " * interval '1 microsecond')",
			at_us + 1, at_us + 4);
	assert_found("2", .request_id = db_text("mine"));
	assert_found("", .request_id = db_text("min"));
	assert_found("", .version = db_int(2), .failed = db_bool(true));
	assert_found("4 3", .limit = db_int(2));
}

static void without_a_function_those_of_all_functions_are_found(void **state)
{
	struct fixture *f = *state;
	AUTO(db_result_clear) PGresult *r = NULL;
	struct invocation_filter filter = {.request_id = db_text("mine"), .limit = db_int(10)};
	int64_t at_us = NOON_S * 1000000;
	char newest[UUID_TEXT_SIZE];
	struct err err;

	add(at_us, 1, "request_id = 'mine'");
	add(at_us + 1, 2, "");
	struct uuid last = add(at_us + 2, 3, "request_id = 'mine', function_id = '" OTHER "'");
	uuid_format(&last, newest);
	assert_ok(db_invocations(f->db, &filter, &r, &err));
	assert_int_equal(PQntuples(r), 2);
	assert_string_equal(PQgetvalue(r, 0, INVOCATION_ID), newest);
}

static void a_request_can_be_found_without_reading_all_invocations(void **state)
{
	(void)state;
	pg_scratch_exec(pg, "set enable_seqscan = off"); /* which is faster in a table that is empty */
	AUTO(mem_free)
	char *plan = pg_scratch_value(pg, "explain (format json) select from metrics_20260131 where request_id = 'x'");
	pg_scratch_exec(pg, "reset enable_seqscan");
	assert_non_null(strstr(plan, "metrics_20260131_request_id_idx"));
}

static void a_text_is_found_as_it_is_in_any_log(void **state)
{
	struct fixture *f = *state;
	int64_t at_us = NOON_S * 1000000;
	struct uuid ids[6];

	for (size_t i = 1; i < ARRAY_SIZE(ids); i++)
		ids[i] = add(at_us + (int64_t)i, (uint8_t)i, ""); /* 5 prints nothing */
	print(&ids[1], "'Needle in 100% of _haystacks'::bytea");
	print(&ids[2], "'\\xc3a9ff'::bytea || 'needle'");               /* é, no UTF-8 */
	print(&ids[3], "'\\x00'::bytea || 'nEEdle' || '\\x00'::bytea"); /* NUL */
	print(&ids[4], "'C:\\\\temp\\\\303'::bytea");
	assert_found("3 2 1", .text = db_text("needle"));
	assert_found("3 2 1", .text = db_text("NEEDLE"));
	assert_found("1", .text = db_text("100% of _hay"));
	assert_found("", .text = db_text("100_ of"));
	assert_found("", .text = db_text("needle%haystacks"));
	assert_found("4", .text = db_text("c:\\temp\\"));
	assert_found("4", .text = db_text("303")); /* not é, which PostgreSQL's escape format has as \303\251 */
	assert_found("", .text = db_text("000"));
	assert_found("", .text = db_text("elsewhere"));
}

/* All of it by cursors, a page of two at a time; at each page newer ones arrive. */
static void pages_hold_still_while_new_ones_arrive_also_at_the_same_time(void **state)
{
	struct fixture *f = *state;
	int64_t at_us = NOON_S * 1000000;
	char seen[64] = "", id[UUID_TEXT_SIZE];
	struct db_param at = {0};
	struct err err;

	add(at_us - 1, 1, "");
	add(at_us, 2, ""); /* three at one time */
	add(at_us, 3, "");
	add(at_us, 4, "");
	add(at_us + 999999, 5, "");
	for (uint8_t page = 0; page < 3; page++) {
		AUTO(db_result_clear) PGresult *r = NULL;
		struct invocation_filter filter = {.function_id = db_text(FUNCTION), .limit = db_int(2)};
		if (page > 0) {
			filter.before_at = at;
			filter.before_id = db_text(id);
		}
		assert_ok(db_invocations(f->db, &filter, &r, &err));
		for (int i = 0; i < PQntuples(r); i++) {
			at = db_time(strtoll(PQgetvalue(r, i, INVOCATION_AT_US), NULL, 10));
			snprintf(id, sizeof(id), "%s", PQgetvalue(r, i, INVOCATION_ID));
			strcat(seen, id + UUID_TEXT_SIZE - 2);
		}
		add(at_us + 2000000, (uint8_t)(6 + page), "");
	}
	assert_string_equal(seen, "54321");
}

/* Holds that day's metrics, so that whoever touches them waits. */
static void lock_day(const char *day)
{
	pg_scratch_exec(pg, "begin");
	pg_scratch_exec(pg, "lock table metrics_%s", day);
}

static void unlock(void)
{
	pg_scratch_exec(pg, "rollback");
}

static void days_that_are_not_asked_for_are_not_touched(void **state)
{
	struct fixture *f = *state;
	AUTO(db_result_clear) PGresult *r = NULL;
	struct invocation_filter all = {.function_id = db_text(FUNCTION), .limit = db_int(100)};
	struct err err;

	add((NOON_S - 2 * DAY_S) * 1000000, 1, "");
	struct uuid id = add(NOON_S * 1000000, 2, "");
	lock_day("20260129");
	/* More often than PostgreSQL plans a prepared statement for its parameters. */
	for (int i = 0; i < 8; i++)
		assert_found("2", .from = db_time(1769817600000000));
	assert_int_equal(db_invocation(f->db, &id, &r, &f->err), 0);
	db_result_clear(&r);
	assert_int_equal(db_invocations(f->db, &all, &r, &err), -1);
	assert_int_equal(err.code, ETIMEDOUT);
	unlock();
	lock_day("20260131");
	assert_found("1", .to = db_time(1769817600000000));
	assert_found("1", .before_at = db_time(1769817599000000), .before_id = db_text(FUNCTION));
	unlock();
}

static void one_is_found_by_its_id_whether_or_not_that_has_its_time(void **state)
{
	struct fixture *f = *state;
	struct uuid with = add(NOON_S * 1000000, 1, ""), without, unknown = id_at(NOON_S * 1000000, 9);
	AUTO(db_result_clear) PGresult *r = NULL;

	add(NOON_S * 1000000, 2, "metric_id = '" OTHER "'");
	assert_true(uuid_parse(OTHER, &without));
	assert_int_equal(db_invocation(f->db, &with, &r, &f->err), 0);
	assert_int_equal(PQntuples(r), 1);
	db_result_clear(&r);
	assert_int_equal(db_invocation(f->db, &without, &r, &f->err), 0);
	assert_string_equal(PQgetvalue(r, 0, INVOCATION_ID), OTHER);
	db_result_clear(&r);
	assert_int_equal(db_invocation(f->db, &unknown, &r, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_null(r);
	assert_int_equal(db_invocation_log(f->db, &unknown, &r, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	for (int i = 0; i < 2; i++) { /* of 1970, and of the last time there is an id for */
		memset(unknown.bytes, i == 0 ? 0 : 0xff, sizeof(unknown.bytes));
		unknown.bytes[6] = 0x70;
		assert_int_equal(db_invocation(f->db, &unknown, &r, &f->err), -1);
		assert_int_equal(f->err.code, ENOENT);
	}
}

static void what_one_printed_comes_as_bytes_and_nothing_as_nothing(void **state)
{
	struct fixture *f = *state;
	struct uuid silent = add(NOON_S * 1000000, 1, ""), loud = add(NOON_S * 1000000, 2, "");
	AUTO(db_result_clear) PGresult *r = NULL;

	print(&loud, "'\\x610062ff'::bytea");
	assert_int_equal(db_invocation_log(f->db, &silent, &r, &f->err), 0);
	assert_int_equal(PQgetlength(r, 0, LOG_TEXT), 0);
	assert_int_equal(buf_get_u64(PQgetvalue(r, 0, LOG_BYTES)), 0);
	db_result_clear(&r);
	assert_int_equal(db_invocation_log(f->db, &loud, &r, &f->err), 0);
	assert_int_equal(PQgetlength(r, 0, LOG_TEXT), 4);
	assert_memory_equal(PQgetvalue(r, 0, LOG_TEXT), "a\0b\xff", 4);
	assert_int_equal(buf_get_u64(PQgetvalue(r, 0, LOG_REQUESTED_AT_US)), NOON_S * 1000000);
	assert_int_equal(buf_get_u64(PQgetvalue(r, 0, LOG_RESPONSE_US)), 12500);
	assert_memory_equal(PQgetvalue(r, 0, LOG_INVOCATION_ID), loud.bytes, sizeof(loud.bytes));
}

/* Printed so many seconds after the request. log: SQL. */
static void print_late(const struct uuid *id, int seconds, const char *log)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(id, text);
	pg_scratch_exec(
		pg,
		"insert into invocation_logs (metric_id, function_id, request_timestamp, log, times, streams, log_bytes, "
		"late_for) select metric_id, function_id, request_timestamp + interval '%d s', %s, '', '', length(%s), "
		"request_timestamp from metrics where metric_id = '%s'",
		seconds, log, log, text);
}

static void what_one_printed_after_its_answer_comes_behind_its_log(void **state)
{
	struct fixture *f = *state;
	struct uuid quiet = add(NOON_S * 1000000, 1, ""), loud = add(NOON_S * 1000000, 2, "");
	AUTO(db_result_clear) PGresult *r = NULL;

	print_late(&loud, 9, "'third'::bytea");
	print_late(&loud, 2, "'second'::bytea");
	print(&loud, "'first'::bytea");
	print_late(&quiet, 2, "'alone'::bytea");
	assert_int_equal(db_invocation_log(f->db, &loud, &r, &f->err), 0);
	assert_int_equal(PQntuples(r), 3);
	for (int row = 0; row < 3; row++) {
		assert_int_equal(*PQgetvalue(r, row, LOG_LATE), row > 0);
		assert_int_equal(buf_get_u64(PQgetvalue(r, row, LOG_REQUESTED_AT_US)), NOON_S * 1000000);
	}
	assert_memory_equal(PQgetvalue(r, 1, LOG_TEXT), "second", 6);
	db_result_clear(&r);
	assert_int_equal(db_invocation_log(f->db, &quiet, &r, &f->err), 0);
	assert_int_equal(PQntuples(r), 1);
	assert_int_equal(*PQgetvalue(r, 0, LOG_LATE), 1);
	db_result_clear(&r);
	assert_found("2", .text = db_text("THIRD"));
	assert_int_equal(db_invocation(f->db, &loud, &r, &f->err), 0);
	assert_string_equal(PQgetvalue(r, 0, INVOCATION_LOG_BYTES), "16");
}

/* ---- Who follows ---- */

/* Five logs of 1000 bytes, printed just now and stored one after the other. */
static void print_five(void)
{
	int64_t now_us = clock_wall_us();

	pg_scratch_exec(pg, "insert into functions (function_id, name, status) values ('" FUNCTION "', 'one', 'deleted'), "
			    "('" OTHER "', 'other', 'deleted')");
	pg_scratch_exec(
		pg, "do $$ begin perform ensure_metrics_partitions(current_date + i) from generate_series(-1, 1) i; end $$");
	for (uint8_t i = 1; i <= 5; i++) {
		struct uuid id = add(now_us - (6 - i) * 1000, i, "");
		print(&id, "convert_to(repeat('x', 1000), 'UTF8')");
	}
}

/*
 * The answers to all requests as text, for example "1 2|-|": the last digits of the ids, in order; "-": ask again; "?": there
 * is no such function. Moves the places of the requests.
 */
static const char *all_told(struct fixture *f, struct db_log_asker *askers, size_t count, int bytes)
{
	static char text[256];
	AUTO(db_log_question_free) struct db_log_question question = {0};
	AUTO(db_result_clear) PGresult *r = NULL;
	struct db_log_reply news;
	struct err err;
	int row = 0;

	db_log_question_make(&question, askers, count, bytes);
	assert_ok(db_run(f->db, &db_logs_news, question.params, &r, &err));
	text[0] = '\0';
	for (size_t a = 0; a < count; a++) {
		row = db_log_reply(r, row, &askers[a], &news);
		strcat(text, a > 0 ? "|" : "");
		strcat(text, news.again ? "-" : news.known ? "" : "?");
		for (int i = 0; i < news.count; i++)
			sprintf(text + strlen(text), "%s%d", i > 0 ? " " : "",
				PQgetvalue(r, news.first + i, LOG_INVOCATION_ID)[15]);
		askers[a].place = news.place;
	}
	assert_int_equal(row, PQntuples(r));
	return text;
}

static const char *told(struct fixture *f, int limit, int bytes, struct log_place *place)
{
	struct db_log_asker asker = {.ref = FUNCTION, .place = *place, .limit = limit};
	const char *text = all_told(f, &asker, 1, bytes);

	*place = asker.place;
	return text;
}

static void logs_are_told_in_the_order_they_were_stored_up_to_so_many_and_so_many_bytes(void **state)
{
	struct fixture *f = *state;
	struct log_place place = {.stored_in = 0};

	print_five();
	assert_string_equal(told(f, 2, 1000000, &place), "1 2");
	assert_string_equal(told(f, 9, 1000, &place), "3");
	assert_string_equal(told(f, 9, 1001, &place), "4 5");
	assert_string_equal(told(f, 9, 1000, &place), "");
	assert_string_equal(told(f, 9, 1000, &place), "");
}

static void of_the_newest_logs_the_last_ones_are_told_when_not_all_may_be(void **state)
{
	struct fixture *f = *state;
	struct log_place place = {.stored_in = -1};

	print_five();
	assert_string_equal(told(f, 9, 1000000, &place), "1 2 3 4 5");
	place.stored_in = -1;
	assert_string_equal(told(f, 3, 1000000, &place), "3 4 5");
	place.stored_in = -1;
	assert_string_equal(told(f, 9, 1001, &place), "4 5");
	assert_string_equal(told(f, 9, 1001, &place), "");
}

static void all_who_follow_are_told_by_one_answer_as_far_as_there_is_room(void **state)
{
	struct fixture *f = *state;
	struct db_log_asker askers[] = {
		{.ref = FUNCTION, .place = {.stored_in = 0}, .limit = 3},
		{.ref = "no\"body\\", .place = {.stored_in = 0}, .limit = 3},
		{.ref = OTHER, .place = {.stored_in = 0}, .limit = 3},
		{.ref = FUNCTION, .place = {.stored_in = -1}, .limit = 2},
		{.ref = FUNCTION, .place = {.stored_in = 0}, .limit = 9},
	};

	print_five();
	assert_string_equal(all_told(f, askers, ARRAY_SIZE(askers), 1000000), "1 2 3|?||4 5|1 2 3 4 5");
	assert_string_equal(all_told(f, askers, ARRAY_SIZE(askers), 1000000), "4 5|?|||");
	assert_string_equal(all_told(f, askers, ARRAY_SIZE(askers), 1000000), "|?|||");
	for (size_t i = 0; i < ARRAY_SIZE(askers); i++)
		askers[i].place = (struct log_place){.stored_in = i == 3 ? -1 : 0};
	assert_string_equal(all_told(f, askers, ARRAY_SIZE(askers), 2500), "1 2 3|?||-|-");
	assert_string_equal(all_told(f, askers + 3, 2, 1500), "4 5|-");
	assert_string_equal(all_told(f, askers + 3, 2, 1500), "|1 2");
	assert_string_equal(all_told(f, askers + 3, 2, 1500), "|3 4");
	assert_string_equal(all_told(f, askers + 3, 2, 1500), "|5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_filter_finds_what_it_names_and_no_other, set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(without_a_function_those_of_all_functions_are_found, set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(a_request_can_be_found_without_reading_all_invocations, set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(a_text_is_found_as_it_is_in_any_log, set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(pages_hold_still_while_new_ones_arrive_also_at_the_same_time, set_up,
						rig_tear_down),
		cmocka_unit_test_setup_teardown(days_that_are_not_asked_for_are_not_touched, set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(one_is_found_by_its_id_whether_or_not_that_has_its_time, set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(what_one_printed_comes_as_bytes_and_nothing_as_nothing, set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(what_one_printed_after_its_answer_comes_behind_its_log, set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(logs_are_told_in_the_order_they_were_stored_up_to_so_many_and_so_many_bytes,
						set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(all_who_follow_are_told_by_one_answer_as_far_as_there_is_room, set_up,
						rig_tear_down),
		cmocka_unit_test_setup_teardown(of_the_newest_logs_the_last_ones_are_told_when_not_all_may_be, set_up,
						rig_tear_down),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
