#include "db/db_statement.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/defs.h"

static_assert(DB_OWN_SIZE >= UUID_TEXT_SIZE && DB_OWN_SIZE >= CLOCK_TEXT_SIZE, "a parameter has room for its text");

struct db_param db_text(const char *text)
{
	return (struct db_param){.borrowed = text};
}

struct db_param db_bytes(const void *data, size_t len)
{
	return (struct db_param){.borrowed = data, .len = (int)len, .binary = true};
}

struct db_param db_int(int64_t n)
{
	struct db_param p = {0};

	snprintf(p.own, sizeof(p.own), "%" PRId64, n);
	return p;
}

struct db_param db_real(double n)
{
	struct db_param p = {0};

	snprintf(p.own, sizeof(p.own), "%.17g", n);
	return p;
}

struct db_param db_bool(bool b)
{
	return (struct db_param){.own = {b ? 't' : 'f'}};
}

struct db_param db_time(int64_t wall_us)
{
	struct db_param p = {0};

	clock_format_utc_us(wall_us, p.own);
	return p;
}

struct db_param db_uuid(const struct uuid *id)
{
	struct db_param p = {0};

	if (id != NULL)
		uuid_format(id, p.own);
	return p;
}

const char *db_param_value(const struct db_param *p)
{
	return p->borrowed == NULL && p->own[0] != '\0' ? p->own : p->borrowed;
}

int db_statement_prepare(PGconn *conn, const struct db_statement *s)
{
	return PQsendPrepare(conn, s->name, s->sql, s->param_count, NULL);
}

int db_statement_send(PGconn *conn, const struct db_statement *s, const struct db_param *params)
{
	const char *values[DB_PARAMS_MAX];
	int lens[DB_PARAMS_MAX], formats[DB_PARAMS_MAX];

	assert(s->param_count <= DB_PARAMS_MAX);
	for (int i = 0; i < s->param_count; i++) {
		values[i] = db_param_value(&params[i]);
		lens[i] = params[i].len;
		formats[i] = params[i].binary;
	}
	if (s->varies)
		return PQsendQueryParams(conn, s->sql, s->param_count, NULL, values, lens, formats, s->binary);
	return PQsendQueryPrepared(conn, s->name, s->param_count, values, lens, formats, s->binary);
}
