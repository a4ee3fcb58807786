#include "run/agent_error.h"

#include <errno.h>
#include <stdio.h>

#include "base/json_scan.h"
#include "http/json_text.h"

#define TYPE_MAX        256
#define MESSAGE_MAX     8192
#define STACK_LINES_MAX 64
#define STACK_LINE_MAX  512

#define CHARACTER_MAX                                                                                                          \
	4 /* length of a UTF-8 character: a text that was cut between characters may be shorter by less than this */

/*
 * Masked before it is cut, because an incomplete secret would not be recognised. The agent may already have cut the text to the
 * same length.
 */
static json_t *text_of(const json_t *text, size_t max, struct mask *mask)
{
	AUTO(buf_free) struct buf masked = {0};
	size_t len = json_string_length(text);

	if (json_is_string(text))
		mask_add(mask, json_string_value(text), len, len + CHARACTER_MAX > max, &masked);
	return json_stringn(buf_str(&masked), json_text_cut(buf_str(&masked), masked.len, max));
}

static json_t *stack_of(const json_t *stack, struct mask *mask)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < MIN(json_array_size(stack), STACK_LINES_MAX); i++)
		json_array_append_new(lines, text_of(json_array_get(stack, i), STACK_LINE_MAX, mask));
	return lines;
}

static void copy(char *to, size_t size, const json_t *text)
{
	const char *s = json_string_value(text);

	snprintf(to, size, "%s", s != NULL ? s : "");
}

int agent_error_parse(const char *payload, size_t len, struct mask *mask, struct agent_error *e, struct err *err)
{
	struct json_scan_error scanned;
	json_error_t why;

	if (len > AGENT_ERROR_MAX)
		return err_set(err, EMSGSIZE, "an error report of %zu bytes", len);
	if (json_scan_small(payload, len, &scanned) < 0 && scanned.too_much)
		return err_set(err, EMSGSIZE, "an error report that is %s", scanned.what);
	AUTO(json_decrefp) json_t *json = json_loadb(payload, len, 0, &why);
	if (!json_is_object(json))
		return err_set(err, EPROTO, "an error report that is no JSON object");

	*e = (struct agent_error){
		.line = json_integer_value(json_object_get(json, "line")),
		.size_bytes = json_integer_value(json_object_get(json, "size_bytes")),
		.exiting = json_is_true(json_object_get(json, "exiting")),
	};
	copy(e->kind, sizeof(e->kind), json_object_get(json, "kind"));
	copy(e->invocation_id, sizeof(e->invocation_id), json_object_get(json, "invocation_id"));
	e->error = json_object();
	json_object_set_new(e->error, "type", text_of(json_object_get(json, "type"), TYPE_MAX, mask));
	json_object_set_new(e->error, "message", text_of(json_object_get(json, "message"), MESSAGE_MAX, mask));
	json_object_set_new(e->error, "stack", stack_of(json_object_get(json, "stack"), mask));
	return 0;
}

void agent_error_clear(struct agent_error *e)
{
	json_decref(e->error);
	*e = (struct agent_error){0};
}

const char *agent_error_type(const struct agent_error *e)
{
	return json_string_value(json_object_get(e->error, "type"));
}

const char *agent_error_message(const struct agent_error *e)
{
	return json_string_value(json_object_get(e->error, "message"));
}
