#include "control/health/limits.h"

#include <jansson.h>

#include "api/log_format.h"
#include "base/json_scan.h"
#include "control/functions/function_limits.h"
#include "http/response.h"
#include "worker/worker.h"

/* Each language with its versions. */
static json_t *languages_json(const struct language *languages)
{
	json_t *json = json_object();

	for (const struct language *l = languages; l != NULL; l = l->next) {
		json_t *versions = json_array();
		for (const struct language_version *v = l->versions; v != NULL; v = v->next)
			json_array_append_new(versions,
					      json_pack("{s:s, s:s}", "version", v->name, "end_of_life", v->end_of_life));
		json_object_set_new(json, l->name,
				    json_pack("{s:s, s:o}", "default_version", l->default_version->name, "versions", versions));
	}
	return json;
}

void limits_get(struct worker *w, const struct request *request, struct response *response)
{
	json_t *invocation = json_pack("{s:I, s:I}", "request_bytes", (json_int_t)w->conf->limits_request_bytes,
				       "queue_timeout_ms", (json_int_t)w->conf->pool_queue_timeout_ms);
	/* Adds the bounds of bodies that are parsed, and of answers with log lines. */
	json_t *body = json_pack("{s:i, s:i}", "values", JSON_SCAN_SMALL_VALUES, "depth", JSON_SCAN_SMALL_DEPTH);
	json_t *logs = json_pack("{s:i, s:i, s:i}", "page_lines", LOG_PAGE_LINES, "page_bytes", (int)LOG_PAGE_BYTES,
				 "line_bytes", (int)LOG_LINE_BYTES);
	AUTO(json_decrefp)
	json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o}", "function", function_limits(w->conf, w->languages), "languages",
				 languages_json(w->languages), "invocation", invocation, "body", body, "logs", logs);

	(void)request;
	response_json(response, 200, "application/json", json);
}
