#include "control/functions/function_json.h"

#include "control/functions/environment.h"
#include "control/functions/function_fields.h"
#include "http/json_body.h"

static json_t *limits_in_force(const struct conf *c, const struct spec *spec)
{
	json_t *limits = json_pack("{s:I}", "request_bytes", (json_int_t)c->limits_request_bytes);

	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		if (f->when == FUNCTION_LIMIT)
			json_object_set_new(limits, f->name, function_field_value(f, spec));
	return limits;
}

json_t *function_json(const struct db_function *function)
{
	json_t *json = json_pack("{s:o, s:o, s:o}", "status", json_text(function->status), "created_at",
				 json_time(function->created_at_us), "updated_at", json_time(function->updated_at_us));

	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		if (f->type != FUNCTION_SOURCE && f->type != FUNCTION_VARIABLES)
			json_object_set_new(json, f->name, function_field_value(f, function->spec));
	return json;
}

json_t *function_json_whole(const struct db_function *f, const struct conf *conf)
{
	json_t *json = function_json(f);

	json_object_set_new(json, "environment", environment_masked(f->spec->environment));
	json_object_set_new(json, "limits", limits_in_force(conf, f->spec));
	return json;
}
