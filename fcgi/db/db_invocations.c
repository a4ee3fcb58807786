#include "db/db_invocations.h"

#include <errno.h>
#include <string.h>

#define AROUND_US 86400000000ll

/* Joins the log of row m by its key. */
#define OF_LOG(what)                                                                                                           \
	"(select " what " from invocation_logs l where l.metric_id = m.metric_id and l.request_timestamp = "                   \
	"m.request_timestamp)"

#define INVOCATION(name, sql) ", " sql
#define INVOCATION_AT         "select (extract(epoch from m.request_timestamp) * 1000000)::bigint"

/*
 * A log may contain any bytes, so it is read as Latin-1, in which all bytes are valid; only NUL is replaced. The text to look
 * for is ASCII, which is the same in Latin-1.
 */
#define LOG_AS_TEXT                                                                                                            \
	"convert_from(case when position('\\x00'::bytea in l.log) = 0 then l.log "                                             \
	"else decode(replace(encode(l.log, 'escape'), '\\000', '\\001'), 'escape') end, 'LATIN1')"

#define TEXT_IN_LOG OF_LOG("position(lower($14 collate \"C\") in lower(" LOG_AS_TEXT " collate \"C\")) > 0")

/*
 * The order is that of the index of each day's partition, backwards, so that reading ends with the page. Logs are looked up one
 * by one for the rows that meet all other conditions, because a join might read logs of other functions. The cursor's time is
 * compared once more on its own, because a comparison of row values excludes no partition.
 */
static const struct db_statement invocations_get = {
	.name = "invocations_get",
	.sql = INVOCATION_AT
#include "db/invocation.def"
	" from metrics m "
	"where m.function_id = $1::uuid and ($2::timestamptz is null or m.request_timestamp >= $2::timestamptz) "
	"and ($3::timestamptz is null or m.request_timestamp < $3::timestamptz) "
	"and ($4::timestamptz is null or (m.request_timestamp <= $4::timestamptz "
	"and (m.request_timestamp, m.metric_id) < ($4::timestamptz, $5::uuid))) "
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

/* An id that contains its time (version 7) is looked for around that time, other ids everywhere. */
#define BY_ID                                                                                                                  \
	"where m.metric_id = $1::uuid and ($2::timestamptz is null "                                                           \
	"or m.request_timestamp between $2::timestamptz and $3::timestamptz)"

static const struct db_statement invocation_get = {
	.name = "invocation_get",
	.sql = INVOCATION_AT
#include "db/invocation.def"
	" from metrics m " BY_ID,
	.param_count = 3,
	.reads = true,
	.varies = true,
};
#undef INVOCATION

#define LOG_COLUMNS                                                                                                            \
	"m.metric_id, m.function_id, (extract(epoch from m.request_timestamp) * 1000000)::bigint as at_us, "                   \
	"(m.response_time_ms * 1000)::bigint, coalesce(l.log, ''), coalesce(l.times, ''), coalesce(l.streams, ''), "           \
	"coalesce(l.log_bytes, 0), coalesce(l.orphan_bytes, 0), coalesce(m.error_code, ''), coalesce(m.error_message, ''), "   \
	"m.request_id, "                                                                                                       \
	"l.stored_in, "                                                                                                        \
	"(octet_length(l.log) + octet_length(l.times) + octet_length(l.streams))::bigint as size"

/*
 * For the rows of q: their number, and for each row the number of bytes in the rows before it, which PostgreSQL knows without
 * reading them.
 */
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

/* No invocation takes longer than a day, including waiting. Without logs the result is one row that only has the horizon. */
static const struct db_statement logs_after = {
	.name = "logs_after",
	.sql = "select p.*, h.horizon from " HORIZON " left join lateral (select * from (" LOG_SUMS " from (select " LOG_COLUMNS
	       " from invocation_logs l join metrics m on m.metric_id = l.metric_id and m.request_timestamp = "
	       "l.request_timestamp "
	       "where l.function_id = $1::uuid and l.request_timestamp > now() - interval '1 day' "
	       "and m.request_timestamp > now() - interval '1 day' and l.stored_in >= $2::bigint and l.stored_in < h.horizon "
	       "and (l.stored_in, l.request_timestamp, l.metric_id) > "
	       "($2::bigint, coalesce($3::timestamptz, '-infinity'), "
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
		f->function_id,    f->from,   f->to,         f->before_at, f->before_id, f->status_least,
		f->status_most,    f->failed, f->error_code, f->version,   f->runtime,   f->start_kind,
		f->slower_than_ms, f->text,   f->limit,
	};

	return db_run(db, &invocations_get, params, result, err);
}

/* Whole seconds. */
static int64_t time_of(const struct uuid *id)
{
	uint64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->bytes[i];
	return (int64_t)(ms / 1000) * 1000000;
}

static int find(struct db *db, const struct db_statement *statement, const struct uuid *id, PGresult **result, struct err *err)
{
	struct db_param params[] = {db_uuid(id), db_text(NULL), db_text(NULL)};

	if (id->bytes[6] >> 4 == 7) {
		params[1] = db_time(time_of(id) - AROUND_US);
		params[2] = db_time(time_of(id) + AROUND_US);
	}
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
	place->stored_in = (int64_t)buf_get_u64(PQgetvalue(r, row, LOG_STORED_IN));
	place->in_midst = true;
	place->at_us = (int64_t)buf_get_u64(PQgetvalue(r, row, LOG_REQUESTED_AT_US));
	memcpy(place->id.bytes, PQgetvalue(r, row, LOG_INVOCATION_ID), sizeof(place->id.bytes));
}

/* Moves the place behind everything that was visible. */
static void pass_all(struct log_place *place, const PGresult *r)
{
	place->in_midst = false;
	place->stored_in = (int64_t)buf_get_u64(PQgetvalue(r, 0, LOG_HORIZON));
}

/* Moves the place behind the last row of a full page, or behind everything when there were no more rows. */
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
	bool newest = place->stored_in < 0;
	const struct db_param none = db_text(NULL);
	const struct db_param after[] = {db_text(function_id),
					 db_int(place->stored_in),
					 place->in_midst ? db_time(place->at_us) : none,
					 place->in_midst ? db_uuid(&place->id) : none,
					 db_int(limit),
					 db_int(bytes)};
	const struct db_param last[] = {db_text(function_id), db_int(limit), db_int(bytes)};

	if (db_run(db, newest ? &logs_newest : &logs_after, newest ? last : after, result, err) < 0)
		return -1;
	/* The newest logs usually fill a page, and everything stored later comes after the horizon. */
	if (newest)
		pass_all(place, *result);
	else
		move_place(place, *result, limit);
	return 0;
}

int db_logs_since(struct db *db, int64_t stored_in, bool *any, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	if (db_run(db, &logs_since, (struct db_param[]){db_int(stored_in)}, &r, err) < 0)
		return -1;
	*any = PQgetvalue(r, 0, 0)[0] == 't';
	return 0;
}
