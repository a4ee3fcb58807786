#include "db/db_invocations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AROUND_S    86400
#define NUMBER_SIZE 24

/* Of the row m; by the key of the logs. */
#define OF_LOG(what)                                                                                                           \
	"(select " what " from invocation_logs l where l.metric_id = m.metric_id and l.request_timestamp = "                   \
	"m.request_timestamp)"

#define INVOCATION_COLUMNS                                                                                                     \
	"select (extract(epoch from m.request_timestamp) * 1000000)::bigint, m.metric_id, json_build_object("                  \
	"'id', m.metric_id, 'function_id', m.function_id, 'version', m.version, 'alias', m.alias, 'node', m.node, "            \
	"'runtime', m.runtime, 'start_kind', m.start_kind, 'request_id', m.request_id, "                                       \
	"'trace_id', replace(m.trace_id::text, '-', ''), 'caller', m.caller, "                                                 \
	"'requested_at', to_char(m.request_timestamp at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), "               \
	"'response_ms', m.response_time_ms, 'queue_ms', m.queue_ms, 'init_ms', m.init_ms, 'exec_ms', m.exec_ms, "              \
	"'overhead_ms', m.overhead_ms, 'status', m.status, "                                                                   \
	"'error', case when m.error_flag then json_build_object('code', m.error_code, 'message', m.error_message) end, "       \
	"'cpu_ms', m.cpu_ms, 'background_cpu_ms', m.background_cpu_ms, "                                                       \
	"'memory_peak_bytes', m.memory_peak_bytes, 'request_bytes', m.request_bytes, "                                         \
	"'response_bytes', m.response_bytes, 'log_bytes', coalesce(" OF_LOG("l.log_bytes") ", 0)) from metrics m "

/*
 * A log is any bytes, so it is read as Latin-1, which they all are; but for NUL, which no text may have. ASCII, of which the
 * text to look for is, stays what it is.
 */
#define LOG_AS_TEXT                                                                                                            \
	"convert_from(case when position('\\x00'::bytea in l.log) = 0 then l.log "                                             \
	"else decode(replace(encode(l.log, 'escape'), '\\000', '\\001'), 'escape') end, 'LATIN1')"

#define TEXT_IN_LOG OF_LOG("position(lower($14 collate \"C\") in lower(" LOG_AS_TEXT " collate \"C\")) > 0")

/*
 * The order is that of the index of each day's partition, backwards, so that reading ends with the page. Logs are looked up one
 * by one for the rows that all else fits: a join might read those of other functions. A cursor's time stands there once more
 * for itself, since a comparison of rows rules out no partition.
 */
static const struct db_statement invocations_get = {
	.name = "invocations_get",
	.sql = INVOCATION_COLUMNS
	"where m.function_id = $1::uuid and ($2::text is null or m.request_timestamp >= to_timestamp($2::double precision)) "
	"and ($3::text is null or m.request_timestamp < to_timestamp($3::double precision)) "
	"and ($4::text is null or (m.request_timestamp <= to_timestamp($4::double precision) "
	"and (m.request_timestamp, m.metric_id) < (to_timestamp($4::double precision), $5::uuid))) "
	"and ($6::text is null or m.status between $6::integer and $7::integer) "
	"and ($8::text is null or m.error_flag = $8::boolean) and ($9::text is null or m.error_code = $9) "
	"and ($10::text is null or m.version = $10::integer) and ($11::text is null or m.runtime = $11) "
	"and ($12::text is null or m.start_kind = $12) "
	"and ($13::text is null or m.response_time_ms > $13::double precision) "
	"and ($14::text is null or " TEXT_IN_LOG ") order by m.request_timestamp desc, m.metric_id desc limit $15::integer",
	.param_count = 15,
	.reads = true,
	.varies = true,
};

/* An id that has its time in it (version 7) is looked for around it, others everywhere. */
#define BY_ID                                                                                                                  \
	"where m.metric_id = $1::uuid and ($2::text is null or m.request_timestamp between to_timestamp($2::bigint) "          \
	"and to_timestamp($3::bigint))"

static const struct db_statement invocation_get = {
	.name = "invocation_get",
	.sql = INVOCATION_COLUMNS BY_ID,
	.param_count = 3,
	.reads = true,
	.varies = true,
};

#define LOG_COLUMNS                                                                                                            \
	"m.metric_id, m.function_id, (extract(epoch from m.request_timestamp) * 1000000)::bigint as at_us, "                   \
	"(m.response_time_ms * 1000)::bigint, coalesce(l.log, ''), coalesce(l.times, ''), coalesce(l.streams, ''), "           \
	"coalesce(l.log_bytes, 0), coalesce(l.orphan_bytes, 0), coalesce(m.error_code, ''), coalesce(m.error_message, ''), "   \
	"m.request_id, "                                                                                                       \
	"l.stored_in, (extract(epoch from m.request_timestamp) * 1000000)::bigint::text, "                                     \
	"(octet_length(l.log) + octet_length(l.times) + octet_length(l.streams))::bigint as size"

/* Of a list q: how many rows there are, and how many bytes are in those before each; PostgreSQL knows without reading them. */
#define LOG_SUMS "select q.*, count(*) over () as found, sum(q.size) over w - q.size as before"

#define HORIZON "(select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon) h"

static const struct db_statement log_get = {
	.name = "log_get",
	.sql = "select " LOG_COLUMNS " from metrics m left join invocation_logs l "
	       "on l.metric_id = m.metric_id and l.request_timestamp = m.request_timestamp " BY_ID,
	.param_count = 3,
	.reads = true,
	.binary = true,
	.varies = true,
};

/* No invocation takes longer than a day, waiting included. With no log there is one row, which has the horizon alone. */
static const struct db_statement logs_after = {
	.name = "logs_after",
	.sql = "select p.*, h.horizon from " HORIZON " left join lateral (select * from (" LOG_SUMS " from (select " LOG_COLUMNS
	       " from invocation_logs l join metrics m on m.metric_id = l.metric_id and m.request_timestamp = "
	       "l.request_timestamp "
	       "where l.function_id = $1::uuid and l.request_timestamp > now() - interval '1 day' "
	       "and m.request_timestamp > now() - interval '1 day' and l.stored_in >= $2::bigint and l.stored_in < h.horizon "
	       "and (l.stored_in, l.request_timestamp, l.metric_id) > "
	       "($2::bigint, coalesce(timestamptz 'epoch' + $3::bigint * interval '1 microsecond', '-infinity'), "
	       "coalesce($4::uuid, '00000000-0000-0000-0000-000000000000')) "
	       "order by l.stored_in, l.request_timestamp, l.metric_id limit $5::integer) q "
	       "window w as (order by q.stored_in, q.at_us, q.metric_id rows unbounded preceding)) b "
	       "where b.before < $6::bigint order by b.stored_in, b.at_us, b.metric_id) p on true",
	.param_count = 6,
	.reads = true,
	.binary = true,
};

static const struct db_statement logs_newest = {
	.name = "logs_newest",
	.sql = "select p.*, h.horizon from " HORIZON " left join lateral (select * from (" LOG_SUMS " from (select " LOG_COLUMNS
	       " from metrics m join invocation_logs l on m.metric_id = l.metric_id and m.request_timestamp = "
	       "l.request_timestamp "
	       "where m.function_id = $1::uuid and l.stored_in < h.horizon order by m.request_timestamp desc limit "
	       "$2::integer) q "
	       "window w as (order by q.at_us desc, q.metric_id desc rows unbounded preceding)) b "
	       "where b.before < $3::bigint order by b.stored_in, b.at_us, b.metric_id) p on true",
	.param_count = 3,
	.reads = true,
	.binary = true,
};

static const struct db_statement logs_since = {
	.name = "logs_since",
	.sql = "select exists (select from invocation_logs where request_timestamp > now() - interval '1 day' "
	       "and stored_in >= $1::bigint)",
	.param_count = 1,
	.reads = true,
};

int db_invocations(struct db *db, const struct invocation_filter *f, PGresult **result, struct err *err)
{
	const struct db_param params[] = {
		{f->function_id},    {f->from},   {f->to},         {f->before_at}, {f->before_id}, {f->status_least},
		{f->status_most},    {f->failed}, {f->error_code}, {f->version},   {f->runtime},   {f->start_kind},
		{f->slower_than_ms}, {f->text},   {f->limit},
	};

	return db_run(db, &invocations_get, params, result, err);
}

static int64_t seconds_of(const struct uuid *id)
{
	uint64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->bytes[i];
	return (int64_t)(ms / 1000);
}

static int find(struct db *db, const struct db_statement *statement, const struct uuid *id, PGresult **result, struct err *err)
{
	char text[UUID_TEXT_SIZE], from[NUMBER_SIZE], to[NUMBER_SIZE];
	bool has_time = id->bytes[6] >> 4 == 7;

	uuid_format(id, text);
	snprintf(from, sizeof(from), "%" PRId64, seconds_of(id) - AROUND_S);
	snprintf(to, sizeof(to), "%" PRId64, seconds_of(id) + AROUND_S);
	const struct db_param params[] = {{text}, {has_time ? from : NULL}, {has_time ? to : NULL}};
	if (db_run(db, statement, params, result, err) < 0)
		return -1;
	if (PQntuples(*result) > 0)
		return 0;
	db_result_clear(result);
	return db_fail(err, ENOENT, "no such invocation");
}

int db_invocation(struct db *db, const struct uuid *id, PGresult **result, struct err *err)
{
	return find(db, &invocation_get, id, result, err);
}

int db_invocation_log(struct db *db, const struct uuid *id, PGresult **result, struct err *err)
{
	return find(db, &log_get, id, result, err);
}

void db_log_place(const PGresult *r, int row, struct log_place *place)
{
	struct uuid id;

	place->stored_in = (int64_t)buf_get_u64(PQgetvalue(r, row, LOG_STORED_IN));
	snprintf(place->at_us, sizeof(place->at_us), "%.*s", PQgetlength(r, row, LOG_AT_TEXT), PQgetvalue(r, row, LOG_AT_TEXT));
	memcpy(id.bytes, PQgetvalue(r, row, LOG_INVOCATION_ID), sizeof(id.bytes));
	uuid_format(&id, place->id);
}

/* Behind all that was there to see. */
static void pass_all(struct log_place *place, const PGresult *r)
{
	place->at_us[0] = place->id[0] = '\0';
	place->stored_in = (int64_t)buf_get_u64(PQgetvalue(r, 0, LOG_HORIZON));
}

/* Behind the last row of a full page; behind all, when there was no more. */
static void move_place(struct log_place *place, const PGresult *r, int limit)
{
	int rows = PQntuples(r);
	bool any = rows > 0 && !PQgetisnull(r, 0, LOG_INVOCATION_ID);

	if (any && (rows >= limit || (uint64_t)rows < buf_get_u64(PQgetvalue(r, 0, LOG_FOUND)))) {
		db_log_place(r, rows - 1, place);
		return;
	}
	pass_all(place, r);
}

int db_logs_after(struct db *db, const char *function_id, int limit, int bytes, struct log_place *place, PGresult **result,
		  struct err *err)
{
	char stored_in[NUMBER_SIZE], most[NUMBER_SIZE], most_bytes[NUMBER_SIZE];
	bool newest = place->stored_in < 0;

	snprintf(stored_in, sizeof(stored_in), "%" PRId64, place->stored_in);
	snprintf(most, sizeof(most), "%d", limit);
	snprintf(most_bytes, sizeof(most_bytes), "%d", bytes);
	const struct db_param after[] = {{function_id},
					 {stored_in},
					 {place->at_us[0] != '\0' ? place->at_us : NULL},
					 {place->id[0] != '\0' ? place->id : NULL},
					 {most},
					 {most_bytes}};
	const struct db_param last[] = {{function_id}, {most}, {most_bytes}};
	if (db_run(db, newest ? &logs_newest : &logs_after, newest ? last : after, result, err) < 0)
		return -1;
	/* The newest ones are a full page as a rule, and all that is stored later comes after the horizon. */
	if (newest)
		pass_all(place, *result);
	else
		move_place(place, *result, limit);
	return 0;
}

int db_logs_since(struct db *db, int64_t stored_in, bool *any, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	char text[NUMBER_SIZE];

	snprintf(text, sizeof(text), "%" PRId64, stored_in);
	if (db_run(db, &logs_since, (struct db_param[]){{text}}, &r, err) < 0)
		return -1;
	*any = PQgetvalue(r, 0, 0)[0] == 't';
	return 0;
}
