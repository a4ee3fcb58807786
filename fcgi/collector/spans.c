#include "collector/spans.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* From OTLP's trace.proto. */
enum { KIND_INTERNAL = 1, KIND_SERVER = 2 };
enum { STATUS_OK = 1, STATUS_ERROR = 2 };

#define ID_SIZE   17
#define TIME_SIZE 24

static uint64_t own_span_id(const struct record *r)
{
	return buf_get_u64(r->invocation_id.bytes + 8);
}

static json_t *id_json(uint64_t id)
{
	char text[ID_SIZE];

	snprintf(text, sizeof(text), "%016" PRIx64, id);
	return json_string(text);
}

static json_t *trace_json(const struct record *r)
{
	char text[2 * ID_SIZE];

	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, buf_get_u64(r->trace_id.bytes),
		 buf_get_u64(r->trace_id.bytes + 8));
	return json_string(text);
}

/* Protobuf's JSON mapping writes 64-bit numbers as strings. */
static json_t *nanoseconds(uint64_t us)
{
	char text[TIME_SIZE];

	snprintf(text, sizeof(text), "%" PRIu64 "000", us);
	return json_string(text);
}

static void add_attribute(json_t *attributes, const char *key, const char *type, json_t *value)
{
	if (value != NULL)
		json_array_append_new(attributes, json_pack("{s:s, s:{s:o}}", "key", key, "value", type, value));
}

/* Appends nothing for an empty value or one that is not UTF-8. */
static void add_text(json_t *attributes, const char *key, struct str text)
{
	add_attribute(attributes, key, "stringValue", text.len > 0 ? json_stringn(text.data, text.len) : NULL);
}

static void add_number(json_t *attributes, const char *key, uint64_t number)
{
	char text[TIME_SIZE];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	add_attribute(attributes, key, "intValue", json_string(text));
}

static void add_uuid(json_t *attributes, const char *key, const struct uuid *uuid)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(uuid, text);
	add_attribute(attributes, key, "stringValue", json_string(text));
}

/* Names are those of OpenTelemetry's semantic conventions for FaaS and HTTP where they exist. */
static json_t *attributes_json(const struct record *r)
{
	json_t *a = json_array();

	add_uuid(a, "faas.invocation_id", &r->invocation_id);
	add_uuid(a, "berth.function_id", &r->function_id);
	add_number(a, "faas.version", r->version);
	add_attribute(a, "faas.coldstart", "boolValue", json_boolean(r->start_kind != IPC_START_NONE && r->init_us > 0));
	add_number(a, "http.response.status_code", r->status);
	add_text(a, "berth.request_id", r->request_id);
	add_text(a, "berth.runtime", r->runtime);
	add_text(a, "berth.start", STR(start_kind_name(r->start_kind)));
	add_text(a, "error.type", r->error_code);
	return a;
}

static json_t *span_json(const struct record *r, const char *name, int kind, uint64_t id, uint64_t parent, uint64_t from_us,
			 uint64_t length_us)
{
	json_t *span = json_pack("{s:o, s:o, s:s, s:i, s:o, s:o}", "traceId", trace_json(r), "spanId", id_json(id), "name",
				 name, "kind", kind, "startTimeUnixNano", nanoseconds(from_us), "endTimeUnixNano",
				 nanoseconds(from_us + length_us));

	if (parent != 0)
		json_object_set_new(span, "parentSpanId", id_json(parent));
	return span;
}

/* Steals span. */
static void add_span(struct buf *spans, json_t *span)
{
	AUTO(mem_free) char *text = json_dumps(span, JSON_COMPACT);

	buf_printf(spans, "%s%s", spans->len > 0 ? "," : "", text);
	json_decref(span);
}

int spans_add(struct buf *spans, const struct record *r)
{
	const struct {
		const char *name;
		uint64_t us;
	} phases[] = {{"queue", r->queue_us}, {"init", r->init_us}, {"exec", r->exec_us}};
	uint64_t id = own_span_id(r), at_us = r->requested_at_us;
	bool failed = r->error_code.len > 0;
	int count = 1;

	json_t *whole = span_json(r, "execute", KIND_SERVER, id, r->parent_span_id, at_us, r->response_us);
	json_t *status = json_pack("{s:i}", "code", failed ? STATUS_ERROR : STATUS_OK);
	json_t *message = failed ? json_stringn(r->error_message.data, r->error_message.len) : NULL;
	if (message != NULL)
		json_object_set_new(status, "message", message);
	json_object_set_new(whole, "status", status);
	json_object_set_new(whole, "attributes", attributes_json(r));
	add_span(spans, whole);
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		if (phases[i].us == 0)
			continue;
		add_span(spans, span_json(r, phases[i].name, KIND_INTERNAL, id ^ (i + 1), id, at_us, phases[i].us));
		at_us += phases[i].us;
		count++;
	}
	return count;
}

void spans_request(struct buf *body, const char *node, const struct buf *spans)
{
	json_t *attributes = json_array();

	add_text(attributes, "service.name", STR("berth"));
	add_text(attributes, "service.version", STR(PACKAGE_VERSION));
	add_text(attributes, "host.name", STR(node));
	AUTO(mem_free) char *resource = json_dumps(attributes, JSON_COMPACT);
	json_decref(attributes);
	buf_printf(body,
		   "{\"resourceSpans\":[{\"resource\":{\"attributes\":%s},\"scopeSpans\":[{\"scope\":{\"name\":\"berth\"},"
		   "\"spans\":[",
		   resource);
	buf_add(body, spans->data, spans->len);
	buf_add_str(body, "]}]}]}");
}
