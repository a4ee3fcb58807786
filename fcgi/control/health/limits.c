#include "control/health/limits.h"

#include <jansson.h>

#include "api/log_format.h"
#include "base/json_scan.h"
#include "control/functions/function_limits.h"
#include "http/response.h"
#include "worker/worker.h"

void limits_get(struct worker *w, const struct request *request, struct response *response)
{
	json_t *invocation = json_pack("{s:I, s:I}", "request_bytes", (json_int_t)w->conf->limits_request_bytes,
				       "queue_timeout_ms", (json_int_t)w->conf->pool_queue_timeout_ms);
	/* Of what is sent to be parsed; and of answers that have the lines of a log. */
	json_t *body = json_pack("{s:i, s:i}", "values", JSON_SCAN_SMALL_VALUES, "depth", JSON_SCAN_SMALL_DEPTH);
	json_t *logs = json_pack("{s:i, s:i, s:i}", "page_lines", LOG_PAGE_LINES, "page_bytes", (int)LOG_PAGE_BYTES,
				 "line_bytes", (int)LOG_LINE_BYTES);
	AUTO(json_decrefp)
	json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "function", function_limits(w->conf, w->languages), "invocation",
				 invocation, "body", body, "logs", logs);

	(void)request;
	response_json(response, 200, "application/json", json);
}
