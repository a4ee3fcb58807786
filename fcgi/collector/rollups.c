#include "collector/rollups.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "collector/copy.h"
#include "db/rollup.h"

#define SQL_SIZE 8192

/* The key of a row. Compared as bytes, so its padding must be zero. */
struct key {
	int64_t bucket_us;
	struct uuid function_id;
	uint32_t version, status;
	char runtime[32], error_code[64];
};

/* The values to add to one row. */
struct group {
	struct key key;
	struct rollup rollup;
	struct rollup row; /* the sum of the row and these values */
	UT_hash_handle hh;
};

/* The columns of a key, in the order of columns_of_key(), with the element types of the arrays they are passed in. */
#define KEY_COLUMNS 6
static const char key_columns[] = "function_id, bucket, version, runtime, status, error_code";
static const struct array_type {
	const char *name;
	uint32_t element; /* its OID, from PostgreSQL's pg_type.dat */
} uuids = {"uuid[]", 2950}, times = {"timestamptz[]", 1184}, ints = {"integer[]", 23}, bigints = {"bigint[]", 20},
  texts = {"text[]", 25}, byteas = {"bytea[]", 17};
static const struct array_type *const types[] = {
	&uuids, &times, &ints, &texts, &ints, &texts,
#define ROLLUP_SUM(column, value)               &bigints,
#define ROLLUP_MAX(column, value)               &bigints,
#define ROLLUP_HISTOGRAM(column, value, counts) &byteas,
#include "db/rollup.def"
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM
};

/* For each table one statement that reads the current rows, with the index of their keys, and one that writes them. */
struct span_statements {
	char get_name[32], put_name[32];
	char get_sql[SQL_SIZE], put_sql[SQL_SIZE];
	struct db_statement get, put;
};
static struct span_statements statements[ROLLUP_SPAN_COUNT];

static const char *const tables[] = {
	[ROLLUP_MINUTE] = "metrics_minute", [ROLLUP_HOUR] = "metrics_hour", [ROLLUP_DAY] = "metrics_day"};

/* "$1::uuid[], …" for the first count arrays. */
static void list_arrays(struct buf *sql, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(sql, "%s$%zu::%s", i > 0 ? ", " : "", i + 1, types[i]->name);
}

static void write_get(struct buf *sql, const char *table)
{
	buf_add_str(sql, "select k.place");
	buf_add_str(sql, rollup_columns);
	buf_add_str(sql, " from unnest(");
	list_arrays(sql, KEY_COLUMNS);
	buf_printf(sql, ") with ordinality as k (%s, place) join %s m using (%s) where m.spool_id = $%d::uuid", key_columns,
		   table, key_columns, KEY_COLUMNS + 1);
}

static void write_put(struct buf *sql, const char *table)
{
	char columns[1024], *rest = columns;

	buf_printf(sql, "insert into %s (%s%s, spool_id) select k.*, $%zu::uuid from unnest(", table, key_columns,
		   rollup_columns, ARRAY_SIZE(types) + 1);
	list_arrays(sql, ARRAY_SIZE(types));
	buf_printf(sql, ") as k on conflict (%s, spool_id) do update set ", key_columns);
	snprintf(columns, sizeof(columns), "%s", rollup_columns);
	const char *comma = "";
	for (const char *c = strtok_r(columns, ", ", &rest); c != NULL; c = strtok_r(NULL, ", ", &rest)) {
		buf_printf(sql, "%s%s = excluded.%s", comma, c, c);
		comma = ", ";
	}
}

static void keep_sql(char to[SQL_SIZE], struct buf *sql)
{
	assert(sql->len < SQL_SIZE);
	memcpy(to, sql->data, sql->len + 1);
	buf_reset(sql);
}

static void write_statements(void)
{
	AUTO(buf_free) struct buf sql = {0};

	for (int span = 0; span < ROLLUP_SPAN_COUNT; span++) {
		struct span_statements *s = &statements[span];
		snprintf(s->get_name, sizeof(s->get_name), "%s_get", tables[span]);
		snprintf(s->put_name, sizeof(s->put_name), "%s_put", tables[span]);
		write_get(&sql, tables[span]);
		keep_sql(s->get_sql, &sql);
		write_put(&sql, tables[span]);
		keep_sql(s->put_sql, &sql);
		s->get = (struct db_statement){s->get_name, s->get_sql, KEY_COLUMNS + 1, .binary = true};
		s->put = (struct db_statement){s->put_name, s->put_sql, ARRAY_SIZE(types) + 1};
	}
}

static void free_groups(struct group **groups)
{
	struct group *g, *next;

	HASH_ITER (hh, *groups, g, next) {
		HASH_DEL(*groups, g);
		rollup_free(&g->rollup);
		rollup_free(&g->row);
		free(g);
	}
}

static struct group *group_for(struct group **groups, const struct key *key)
{
	struct group *g;

	HASH_FIND(hh, *groups, key, sizeof(*key), g);
	if (g == NULL) {
		g = mem_alloc(sizeof(*g));
		g->key = *key;
		HASH_ADD(hh, *groups, key, sizeof(g->key), g);
	}
	return g;
}

static int64_t bucket_of(int64_t us, enum rollup_span span)
{
	return us - us % rollup_span_us[span];
}

static void group_records(struct group **groups, const struct spool_batch *batch)
{
	for (size_t i = 0; i < batch->record_count; i++) {
		const struct record *r = &batch->records[i].record;
		struct key key;

		if (batch->records[i].refused || record_is_late(r))
			continue;
		memset(&key, 0, sizeof(key));
		key.bucket_us = bucket_of((int64_t)r->requested_at_us, ROLLUP_MINUTE);
		key.function_id = r->function_id;
		key.version = r->version;
		key.status = r->status;
		snprintf(key.runtime, sizeof(key.runtime), "%.*s", (int)r->runtime.len, r->runtime.data);
		snprintf(key.error_code, sizeof(key.error_code), "%.*s", (int)r->error_code.len, r->error_code.data);
		rollup_add(&group_for(groups, &key)->rollup, r);
	}
}

/* Adds the groups of all functions together. */
static void group_functions(struct group **groups)
{
	struct group *all = NULL, *g, *next;

	HASH_ITER (hh, *groups, g, next) {
		struct key key = g->key;
		memset(&key.function_id, 0, sizeof(key.function_id));
		key.version = 0;
		rollup_merge(&group_for(&all, &key)->rollup, &g->rollup);
	}
	HASH_ITER (hh, all, g, next) {
		HASH_DEL(all, g);
		HASH_ADD(hh, *groups, key, sizeof(g->key), g);
	}
}

/* Replaces groups by groups of a longer span. */
static void group_spans(struct group **groups, enum rollup_span span)
{
	struct group *longer = NULL, *g, *next;

	HASH_ITER (hh, *groups, g, next) {
		struct key key = g->key;
		key.bucket_us = bucket_of(key.bucket_us, span);
		rollup_merge(&group_for(&longer, &key)->rollup, &g->rollup);
	}
	free_groups(groups);
	*groups = longer;
}

/* An array in PostgreSQL's binary form begins with dimensions, nulls, the element's type, the number of elements, the first
 * index; the elements follow as in COPY. */
static void begin_arrays(struct buf arrays[], size_t count, uint32_t elements)
{
	for (size_t i = 0; i < count; i++) {
		const uint32_t header[] = {1, 0, types[i]->element, elements, 1};
		for (size_t h = 0; h < ARRAY_SIZE(header); h++)
			buf_add_u32(&arrays[i], header[h]);
	}
}

static void add_key(struct buf *arrays, const struct key *key)
{
	copy_uuid(&arrays[0], key->function_id);
	copy_time(&arrays[1], (uint64_t)key->bucket_us);
	copy_int4(&arrays[2], key->version);
	copy_text(&arrays[3], STR(key->runtime));
	copy_int4(&arrays[4], key->status);
	copy_text(&arrays[5], STR(key->error_code));
}

static void add_histogram(struct buf *array, const struct histogram *h, struct buf *scratch)
{
	buf_reset(scratch);
	histogram_encode(h, scratch);
	copy_bytea(array, (struct str){buf_str(scratch), (uint32_t)scratch->len});
}

static void add_rollup(struct buf *array, const struct rollup *rollup, struct buf *scratch)
{
#define ROLLUP_SUM(column, value)               copy_int8(array++, rollup->column);
#define ROLLUP_MAX(column, value)               copy_int8(array++, rollup->column);
#define ROLLUP_HISTOGRAM(column, value, counts) add_histogram(array++, &rollup->column, scratch);
#include "db/rollup.def"
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM
}

/* The arrays that are the statement's parameters, followed by the spool's id. */
static int run(struct db *db, const struct db_statement *statement, const struct buf arrays[], const char *spool_id,
	       PGresult **result, struct err *err)
{
	struct db_param params[ARRAY_SIZE(types) + 1];
	int count = statement->param_count - 1;

	for (int i = 0; i < count; i++)
		params[i] = db_bytes(arrays[i].data, arrays[i].len);
	params[count] = db_text(spool_id);
	return db_run(db, statement, params, result, err);
}

/* Adds the current rows to the groups. */
static int make_rows(struct group *groups, const PGresult *stored, struct err *err)
{
	struct group **places = mem_alloc((HASH_COUNT(groups) + 1) * sizeof(struct group *)), *g, *next;
	size_t count = 0;
	int rc = 0;

	HASH_ITER (hh, groups, g, next) {
		places[count++] = g;
		rollup_merge(&g->row, &g->rollup);
	}
	for (int row = 0; row < PQntuples(stored) && rc == 0; row++) {
		uint64_t place = buf_get_u64(PQgetvalue(stored, row, 0)); /* from 1 */
		rc = rollup_merge_row(&places[place - 1]->row, stored, row, 1, err);
	}
	free(places);
	return rc;
}

static void free_arrays(struct buf (*arrays)[ARRAY_SIZE(types)])
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		buf_free(&(*arrays)[i]);
}

static int store_groups(struct db *db, const char *spool_id, struct group *groups, enum rollup_span span, struct err *err)
{
	AUTO(free_arrays) struct buf arrays[ARRAY_SIZE(types)] = {0};
	AUTO(db_result_clear) PGresult *stored = NULL;
	AUTO(buf_free) struct buf scratch = {0};
	struct group *g, *next;
	struct err why;

	begin_arrays(arrays, ARRAY_SIZE(types), HASH_COUNT(groups));
	HASH_ITER (hh, groups, g, next)
		add_key(arrays, &g->key);
	if (run(db, &statements[span].get, arrays, spool_id, &stored, err) < 0)
		return -1;
	if (make_rows(groups, stored, &why) < 0)
		return db_fail(err, EIO, "table %s: %s", tables[span], why.msg);
	HASH_ITER (hh, groups, g, next)
		add_rollup(arrays + KEY_COLUMNS, &g->row, &scratch);
	return run(db, &statements[span].put, arrays, spool_id, NULL, err);
}

int rollups_store(struct db *db, const char *spool_id, const struct spool_batch *batch, struct err *err)
{
	AUTO(free_groups) struct group *groups = NULL;

	if (statements[0].get.sql == NULL)
		write_statements();
	group_records(&groups, batch);
	if (groups == NULL)
		return 0;
	group_functions(&groups);
	for (int span = 0; span < ROLLUP_SPAN_COUNT; span++) {
		if (span > 0)
			group_spans(&groups, (enum rollup_span)span);
		if (store_groups(db, spool_id, groups, (enum rollup_span)span, err) < 0)
			return -1;
	}
	return 0;
}
