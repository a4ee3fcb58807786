#include "api/log_row.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/log_format.h"
#include "base/uuid.h"
#include "http/json_text.h"

static struct str column(const PGresult *r, int row, int column)
{
	return (struct str){PQgetvalue(r, row, column), (uint32_t)PQgetlength(r, row, column)};
}

static int64_t big_number(const PGresult *r, int row, int column)
{
	return (int64_t)buf_get_u64(PQgetvalue(r, row, column));
}

struct log_source log_row_source(const PGresult *r, int row)
{
	return (struct log_source){
		.requested_at_us = big_number(r, row, LOG_REQUESTED_AT_US),
		.response_us = big_number(r, row, LOG_RESPONSE_US),
		.log = column(r, row, LOG_TEXT),
		.times = column(r, row, LOG_TIMES),
		.streams = column(r, row, LOG_STREAMS),
		.levels = column(r, row, LOG_LEVELS),
		.log_bytes = (uint64_t)big_number(r, row, LOG_BYTES),
		.orphan_bytes = (uint64_t)big_number(r, row, LOG_ORPHAN_BYTES),
		.error_code = PQgetvalue(r, row, LOG_ERROR_CODE),
		.error_message = PQgetvalue(r, row, LOG_ERROR_MESSAGE),
	};
}

static json_t *uuid_json(const PGresult *r, int row, int column)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id;

	memcpy(id.bytes, PQgetvalue(r, row, column), sizeof(id.bytes));
	uuid_format(&id, text);
	return json_string(text);
}

/* Everything except the lines. */
static json_t *log_json(const PGresult *r, int row, const struct log_source *source)
{
	uint64_t lost = log_lines_lost(source);

	return json_pack("{s:o, s:o, s:s, s:o, s:I, s:I, s:b, s:I, s:I}", "invocation_id", uuid_json(r, row, LOG_INVOCATION_ID),
			 "function_id", uuid_json(r, row, LOG_FUNCTION_ID), "request_id", PQgetvalue(r, row, LOG_REQUEST_ID),
			 "requested_at", json_time(source->requested_at_us), "log_bytes", (json_int_t)source->log_bytes,
			 "kept_bytes", (json_int_t)source->log.len, "truncated", lost > 0, "lost_bytes", (json_int_t)lost,
			 "orphan_bytes", (json_int_t)source->orphan_bytes);
}

bool log_row_json(const PGresult *r, int row, uint64_t from, struct buf *out)
{
	struct log_source source = log_row_source(r, row);
	AUTO(json_decrefp) json_t *json = log_json(r, row, &source);
	char *head = json_dumps(json, JSON_COMPACT);

	/* The lines, and where they continue, become the object's last members. */
	buf_add(out, head, strlen(head) - 1);
	free(head);
	buf_add_str(out, ",\"lines\":");
	uint64_t next = log_format_json(&source, from, out);
	if (next > 0)
		buf_printf(out, ",\"next\":\"%" PRIu64 "\"}", next);
	else
		buf_add_str(out, ",\"next\":null}");
	return next == 0;
}
