#include "api/log_row.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/log_format.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "http/json_text.h"
#include "http/request.h"

static struct str column(const PGresult *r, int row, int column)
{
	return (struct str){PQgetvalue(r, row, column), (uint32_t)PQgetlength(r, row, column)};
}

static int64_t big_number(const PGresult *r, int row, int column)
{
	return (int64_t)buf_get_u64(PQgetvalue(r, row, column));
}

int log_row_parse_level(const struct request *request, size_t *least, struct err *err)
{
	const char *name = request_param(request, "level");
	AUTO(buf_free) struct buf names = {0};

	if (name == NULL || log_lines_find_level(name, least))
		return 0;
	for (size_t i = 0; log_lines_level(i) != NULL; i++)
		buf_printf(&names, " %s", log_lines_level(i));
	return err_set(err, 0, "'level' must be one of:%s", buf_str(&names));
}

struct log_source log_row_source(const PGresult *r, int row, size_t least)
{
	return (struct log_source){
		.requested_at_us = big_number(r, row, LOG_REQUESTED_AT_US),
		.response_us = big_number(r, row, LOG_RESPONSE_US),
		.log = column(r, row, LOG_TEXT),
		.times = column(r, row, LOG_TIMES),
		.streams = column(r, row, LOG_STREAMS),
		.levels = column(r, row, LOG_LEVELS),
		.log_bytes = (uint64_t)big_number(r, row, LOG_BYTES),
		.error_code = PQgetvalue(r, row, LOG_ERROR_CODE),
		.error_message = PQgetvalue(r, row, LOG_ERROR_MESSAGE),
		.late = *PQgetvalue(r, row, LOG_LATE) != 0,
		.least = least,
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
static json_t *log_json(const PGresult *r, int row, const struct log_source *parts, size_t count)
{
	uint64_t printed = 0, kept = 0, lost = 0, late = 0;

	for (size_t i = 0; i < count; i++) {
		printed += parts[i].log_bytes;
		kept += parts[i].log.len;
		lost += log_lines_lost(&parts[i]);
		late += parts[i].late ? parts[i].log_bytes : 0;
	}
	return json_pack("{s:o, s:o, s:s, s:o, s:I, s:I, s:b, s:I, s:I}", "invocation_id", uuid_json(r, row, LOG_INVOCATION_ID),
			 "function_id", uuid_json(r, row, LOG_FUNCTION_ID), "request_id", PQgetvalue(r, row, LOG_REQUEST_ID),
			 "requested_at", json_time(parts[0].requested_at_us), "log_bytes", (json_int_t)printed, "kept_bytes",
			 (json_int_t)kept, "truncated", lost > 0, "lost_bytes", (json_int_t)lost, "late_bytes",
			 (json_int_t)late);
}

static struct log_source *parts_new(const PGresult *r, int row, int count, size_t least)
{
	struct log_source *parts = mem_alloc((size_t)count * sizeof(*parts));

	for (int i = 0; i < count; i++)
		parts[i] = log_row_source(r, row + i, least);
	return parts;
}

bool log_row_json(const PGresult *r, int row, int count, size_t least, uint64_t from, struct buf *out)
{
	AUTO(mem_free) struct log_source *parts = parts_new(r, row, count, least);
	AUTO(json_decrefp) json_t *json = log_json(r, row, parts, (size_t)count);
	char *head = json_dumps(json, JSON_COMPACT);

	/* The lines, and where they continue, become the object's last members. */
	buf_add(out, head, strlen(head) - 1);
	free(head);
	buf_add_str(out, ",\"lines\":");
	uint64_t next = log_format_json(parts, (size_t)count, from, out);
	if (next > 0)
		buf_printf(out, ",\"next\":\"%" PRIu64 "\"}", next);
	else
		buf_add_str(out, ",\"next\":null}");
	return next == 0;
}

uint64_t log_row_text(const PGresult *r, int row, int count, size_t least, uint64_t from, struct buf *out)
{
	AUTO(mem_free) struct log_source *parts = parts_new(r, row, count, least);

	return log_format_text(parts, (size_t)count, from, out);
}
