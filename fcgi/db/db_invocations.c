#include "db/db_invocations.h"

#include <errno.h>
#include <string.h>

#include "db/db_metrics.h"

#define AROUND_US 86400000000ll

/*
 * The logs l of row m: what was printed until the answer, and late output, which is kept up to a day after the request. They
 * are found by the key; the times tell which partitions to look in.
 */
#define LOGS_OF_M                                                                                                              \
	"l.metric_id = m.metric_id and l.request_timestamp between m.request_timestamp and m.request_timestamp + interval '1 " \
	"day'"
#define OF_LOGS(what) "(select " what " from invocation_logs l where " LOGS_OF_M ")"

#define INVOCATION(name, sql) ", " sql
#define INVOCATION_AT         "select (extract(epoch from m.request_timestamp) * 1000000)::bigint"

/*
 * A log may contain any bytes, so it is read as Latin-1, in which all bytes are valid; only NUL is replaced. The text to look
 * for is ASCII, which is the same in Latin-1.
 */
#define LOG_AS_TEXT                                                                                                            \
	"convert_from(case when position('\\x00'::bytea in l.log) = 0 then l.log "                                             \
	"else decode(replace(encode(l.log, 'escape'), '\\000', '\\001'), 'escape') end, 'LATIN1')"

#define TEXT_IN_LOG OF_LOGS("bool_or(position(lower($14 collate \"C\") in lower(" LOG_AS_TEXT " collate \"C\")) > 0)")

/*
 * The order is that of the index of each day's partition, backwards, so that reading ends with the page; without a function
 * the index of request ids and the period decide what is read. The statement is planned for its parameters, so conditions that
 * are not given cost nothing. Logs are looked up one by one for the rows that meet all other conditions, because a join might
 * read logs of other functions. The cursor's time is compared once more on its own, because a comparison of row values excludes
 * no partition.
 */
static const struct db_statement invocations_get = {
	.name = "invocations_get",
	.sql = INVOCATION_AT
#include "db/invocation.def"
	" from metrics m "
	"where ($1::text is null or m.function_id = $1::uuid) and ($2::timestamptz is null or m.request_timestamp >= "
	"$2::timestamptz) "
	"and ($3::timestamptz is null or m.request_timestamp < $3::timestamptz) "
	"and ($4::timestamptz is null or (m.request_timestamp <= $4::timestamptz "
	"and (m.request_timestamp, m.metric_id) < ($4::timestamptz, $5::uuid))) "
	"and ($6::text is null or m.status between $6::integer and $7::integer) "
	"and ($8::text is null or m.error_flag = $8::boolean) and ($9::text is null or m.error_code = $9) "
	"and ($10::text is null or m.version = $10::integer) and ($11::text is null or m.runtime = $11) "
	"and ($12::text is null or m.start_kind = $12) "
	"and ($13::text is null or m.response_time_ms > $13::double precision) "
	"and ($16::text is null or m.request_id = $16) "
	"and ($14::text is null or " TEXT_IN_LOG ") order by m.request_timestamp desc, m.metric_id desc limit $15::integer",
	.param_count = 16,
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
	"m.metric_id, m.function_id, (extract(epoch from m.request_timestamp) * 1000000)::bigint as requested_us, "            \
	"(extract(epoch from coalesce(l.request_timestamp, m.request_timestamp)) * 1000000)::bigint as at_us, "                \
	"(m.response_time_ms * 1000)::bigint as response_us, coalesce(l.log, '') as log, coalesce(l.times, '') as times, "     \
	"coalesce(l.streams, '') as streams, coalesce(l.levels, '') as levels, coalesce(l.log_bytes, 0) as log_bytes, "        \
	"l.late_for is not null as late, coalesce(m.error_code, '') as error_code, "                                           \
	"coalesce(m.error_message, '') as error_message, m.request_id, l.stored_in, "                                          \
	"(octet_length(l.log) + octet_length(l.times) + octet_length(l.streams) + octet_length(l.levels))::bigint as size"
#define LOG_NAMES                                                                                                              \
	"metric_id, function_id, requested_us, at_us, response_us, log, times, streams, levels, log_bytes, late, error_code, " \
	"error_message, "                                                                                                      \
	"request_id, stored_in, size"

static const struct db_statement log_get = {
	.name = "log_get",
	.sql = "select " LOG_COLUMNS " from metrics m left join invocation_logs l on " LOGS_OF_M " " BY_ID
	       " order by late, at_us",
	.param_count = 3,
	.reads = true,
	.binary = true,
	.varies = true,
};

/* The logs of request u that were stored behind its place. No invocation takes longer than a day, including waiting. */
#define LOGS_BEHIND                                                                                                            \
	"select " LOG_COLUMNS " from invocation_logs l join metrics m on m.metric_id = l.metric_id and m.request_timestamp = " \
	"coalesce(l.late_for, l.request_timestamp) "                                                                           \
	"where n.any and u.stored_in >= 0 and l.function_id = u.function_id "                                                  \
	"and l.request_timestamp > now() - interval '1 day' and m.request_timestamp > now() - interval '1 day' "               \
	"and l.stored_in >= u.stored_in and l.stored_in < h.horizon "                                                          \
	"and (l.stored_in, l.request_timestamp, l.metric_id) > "                                                               \
	"(u.stored_in, coalesce(u.at, '-infinity'), coalesce(u.id, '00000000-0000-0000-0000-000000000000')) "                  \
	"order by l.stored_in, l.request_timestamp, l.metric_id limit u.most"

/* The newest logs, for a request u without a place; of these only the last ones, as many as have $6 bytes. */
#define LOGS_NEWEST                                                                                                            \
	"select " LOG_NAMES " from (select c.*, sum(c.size) over "                                                             \
	"(order by c.at_us desc, c.metric_id desc rows unbounded preceding) - c.size as before from (select " LOG_COLUMNS      \
	" from metrics m join invocation_logs l on " LOGS_OF_M " "                                                             \
	"where u.stored_in < 0 and m.function_id = u.function_id and l.stored_in < h.horizon "                                 \
	"order by m.request_timestamp desc limit u.most) c) b where b.before < $6::bigint"

/*
 * One statement for all requests that follow logs. Its tables are:
 *
 *   h   the oldest transaction that has not ended
 *   u   the requests
 *   n   whether anything was stored since the earliest place of a request; if not, no function's logs are read
 *   t   the logs of each request (p), with the number of bytes before each, which PostgreSQL knows without reading the logs:
 *       those of earlier requests, and those of this request that precede it
 *
 * The result has at least one row for each request.
 */
const struct db_statement db_logs_news = {
	.name = "logs_news",
	.sql = "with h as materialized (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon), "
	       "u as materialized (select a.*, " DB_FUNCTION_ID_OF(
		       "a.ref") " as function_id "
				"from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::uuid[], $5::integer[]) "
				"with ordinality a(ref, stored_in, at, id, most, i)), "
				"n as materialized (select exists (select from invocation_logs "
				"where request_timestamp > now() - interval '1 day' "
				"and stored_in >= (select min(stored_in) from u where stored_in >= 0)) as any), "
				"t as materialized (select p.*, u.i, count(*) over (partition by u.i) as found, "
				"coalesce(sum(p.size) over (order by u.i range unbounded preceding exclude group), 0) "
				"+ case when u.stored_in < 0 then 0 else sum(p.size) over (partition by u.i order by "
				"p.stored_in, p.at_us, "
				"p.metric_id rows unbounded preceding) - p.size end as before "
				"from u cross join h cross join n cross join lateral ((" LOGS_BEHIND ") union all (" LOGS_NEWEST
				")) p) "
				"select t.*, u.i, u.function_id, f.found, h.horizon "
				"from u cross join h left join (select i, max(found) as found from t group by i) f on f.i = "
				"u.i "
				"left join t on t.i = u.i and t.before < $6::bigint "
				"order by u.i, t.stored_in, t.at_us, t.metric_id",
	.param_count = 6,
	.reads = true,
	.binary = true,
};

int db_invocations(struct db *db, const struct invocation_filter *f, PGresult **result, struct err *err)
{
	const struct db_param params[] = {
		f->function_id,    f->from,   f->to,         f->before_at,  f->before_id, f->status_least,
		f->status_most,    f->failed, f->error_code, f->version,    f->runtime,   f->start_kind,
		f->slower_than_ms, f->text,   f->limit,      f->request_id,
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
	place->at_us = (int64_t)buf_get_u64(PQgetvalue(r, row, LOG_AT_US));
	memcpy(place->id.bytes, PQgetvalue(r, row, LOG_INVOCATION_ID), sizeof(place->id.bytes));
}

void db_log_question_make(struct db_log_question *q, const struct db_log_asker *askers, size_t count, int bytes)
{
	const struct db_param none = db_text(NULL);

	for (size_t i = 0; i < count; i++) {
		const struct log_place *place = &askers[i].place;
		const struct db_param elements[] = {
			db_text(askers[i].ref),
			db_int(place->stored_in),
			place->in_midst ? db_time(place->at_us) : none,
			place->in_midst ? db_uuid(&place->id) : none,
			db_int(askers[i].limit),
		};
		for (size_t e = 0; e < ARRAY_SIZE(elements); e++)
			db_array_add(&q->arrays[e], &elements[e]);
	}
	for (size_t e = 0; e < ARRAY_SIZE(q->arrays); e++)
		q->params[e] = db_array_param(&q->arrays[e]);
	q->params[ARRAY_SIZE(q->arrays)] = db_int(bytes);
}

void db_log_question_free(struct db_log_question *q)
{
	for (size_t e = 0; e < ARRAY_SIZE(q->arrays); e++)
		db_array_free(&q->arrays[e]);
}

static int64_t number(const PGresult *r, int row, int column)
{
	return PQgetisnull(r, row, column) ? 0 : (int64_t)buf_get_u64(PQgetvalue(r, row, column));
}

/*
 * Moves the place behind the last row of the answer if there may be more logs, otherwise behind everything that was visible.
 * The latter holds for the newest logs too, although they usually fill a page: everything stored later comes after the horizon.
 */
static void move_place(const PGresult *r, const struct db_log_asker *asker, const struct db_log_reply *news, int64_t found,
		       struct log_place *place)
{
	bool newest = asker->place.stored_in < 0;

	if (news->count < found || (!newest && found >= asker->limit)) {
		db_log_place(r, news->first + news->count - 1, place);
		return;
	}
	place->in_midst = false;
	place->stored_in = number(r, news->first, LOG_HORIZON);
}

int db_log_reply(const PGresult *r, int row, const struct db_log_asker *asker, struct db_log_reply *news)
{
	int64_t who = number(r, row, LOG_ASKER), found = number(r, row, LOG_FOUND);
	bool told = !PQgetisnull(r, row, LOG_INVOCATION_ID);
	int end = row + 1;

	while (end < PQntuples(r) && number(r, end, LOG_ASKER) == who)
		end++;
	*news = (struct db_log_reply){
		.known = !PQgetisnull(r, row, LOG_ASKED),
		.first = row,
		.count = told ? end - row : 0,
		.again = !told && found > 0,
		.place = asker->place,
	};
	if (news->known)
		memcpy(news->function_id.bytes, PQgetvalue(r, row, LOG_ASKED), sizeof(news->function_id.bytes));
	if (news->known && !news->again)
		move_place(r, asker, news, found, &news->place);
	return end;
}
