#include "control/invocations/invocation_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/db_invocations.h"
#include "http/json_text.h"

static json_t *text(const PGresult *r, int row, int column)
{
	return json_text(PQgetvalue(r, row, column));
}

/* Writes a whole number as an integer, whatever the type of its column. */
static json_t *number(const PGresult *r, int row, int column)
{
	const char *digits = PQgetvalue(r, row, column);

	return strpbrk(digits, ".e") == NULL ? json_integer(strtoll(digits, NULL, 10)) : json_real(strtod(digits, NULL));
}

static json_t *microseconds(const PGresult *r, int row, int column)
{
	char at[CLOCK_TEXT_SIZE];

	clock_format_utc_us(strtoll(PQgetvalue(r, row, column), NULL, 10), at);
	return json_string(at);
}

/* A UUID without dashes, as in W3C's traceparent. */
static json_t *trace_id(const PGresult *r, int row, int column)
{
	char digits[UUID_TEXT_SIZE];
	size_t len = 0;

	for (const char *p = PQgetvalue(r, row, column); *p != '\0' && len + 1 < sizeof(digits); p++)
		if (*p != '-')
			digits[len++] = *p;
	return json_stringn(digits, len);
}

static json_t *known(const PGresult *r, int row, int column, json_t *(*json)(const PGresult *r, int row, int column))
{
	return PQgetisnull(r, row, column) ? json_null() : json(r, row, column);
}

static json_t *error(const PGresult *r, int row, int column)
{
	return json_pack("{s:o, s:o}", "code", text(r, row, column), "message", known(r, row, INVOCATION_ERROR_MESSAGE, text));
}

/* One row per member. NULL in the column becomes null; a row without an error code has no error. */
static const struct member {
	const char *name;
	int column;
	json_t *(*json)(const PGresult *r, int row, int column);
} members[] = {
	{"id", INVOCATION_ID, text},
	{"function_id", INVOCATION_FUNCTION_ID, text},
	{"version", INVOCATION_VERSION, number},
	{"alias", INVOCATION_ALIAS, text},
	{"node", INVOCATION_NODE, text},
	{"runtime", INVOCATION_RUNTIME, text},
	{"start_kind", INVOCATION_START_KIND, text},
	{"start_cause", INVOCATION_START_CAUSE, text},
	{"request_id", INVOCATION_REQUEST_ID, text},
	{"trace_id", INVOCATION_TRACE_ID, trace_id},
	{"caller", INVOCATION_CALLER, text},
	{"requested_at", INVOCATION_AT_US, microseconds},
	{"response_ms", INVOCATION_RESPONSE_MS, number},
	{"queue_ms", INVOCATION_QUEUE_MS, number},
	{"init_ms", INVOCATION_INIT_MS, number},
	{"exec_ms", INVOCATION_EXEC_MS, number},
	{"overhead_ms", INVOCATION_OVERHEAD_MS, number},
	{"status", INVOCATION_STATUS, number},
	{"error", INVOCATION_ERROR_CODE, error},
	{"cpu_ms", INVOCATION_CPU_MS, number},
	{"background_cpu_ms", INVOCATION_BACKGROUND_CPU_MS, number},
	{"memory_peak_bytes", INVOCATION_MEMORY_PEAK_BYTES, number},
	{"request_bytes", INVOCATION_REQUEST_BYTES, number},
	{"response_bytes", INVOCATION_RESPONSE_BYTES, number},
	{"log_bytes", INVOCATION_LOG_BYTES, number},
};

const char *invocation_json_member(size_t i)
{
	return i < ARRAY_SIZE(members) ? members[i].name : NULL;
}

json_t *invocation_json(const PGresult *r, int row)
{
	json_t *json = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		json_object_set_new(json, members[i].name, known(r, row, members[i].column, members[i].json));
	return json;
}
