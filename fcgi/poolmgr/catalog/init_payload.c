#include "poolmgr/catalog/init_payload.h"

#include <jansson.h>

static const struct conf *conf;

void init_payload_set_conf(const struct conf *c)
{
	conf = c;
}

char *init_payload_new(const struct spec *s, const char *sandbox_id)
{
	json_t *function = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "id", s->function_id, "name", s->name, "version",
				     (json_int_t)s->version, "region", conf->lambda_region, "account_id",
				     conf->lambda_account_id, "sandbox_id", sandbox_id);
	json_t *limits = json_pack("{s:I, s:I, s:I}", "memory_limit_mb", (json_int_t)s->memory_limit_mb, "timeout_ms",
				   (json_int_t)s->timeout_ms, "response_bytes", (json_int_t)s->response_bytes);
	json_t *json = json_pack("{s:s, s:O, s:o, s:o, s:b, s:b}", "handler", s->handler, "environment", s->environment,
				 "function", function, "limits", limits, "log_levels", 1, "late_marks", 1);
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}
