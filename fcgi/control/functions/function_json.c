#include "control/functions/function_json.h"

#include "control/functions/environment.h"
#include "http/json_text.h"

static json_t *limits_in_force(const struct conf *c, const struct spec *s)
{
	return json_pack("{s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "timeout_ms",
			 (json_int_t)s->timeout_ms, "init_timeout_ms", (json_int_t)s->init_timeout_ms, "memory_limit_mb",
			 (json_int_t)s->memory_limit_mb, "cpus", (double)s->cpu_millis / 1000, "pids", (json_int_t)s->pids,
			 "nofile", (json_int_t)s->nofile, "tmp_mb", (json_int_t)s->tmp_mb, "tmp_inodes",
			 (json_int_t)s->tmp_inodes, "request_bytes", (json_int_t)c->limits_request_bytes, "response_bytes",
			 (json_int_t)s->response_bytes, "log_bytes", (json_int_t)s->log_bytes, "max_concurrency",
			 (json_int_t)s->max_concurrency);
}

/* The stored spec under the API's names. */
json_t *function_json(const struct db_function *f)
{
	json_t *json = spec_to_json(f->spec);

	json_object_set(json, "id", json_object_get(json, "function_id"));
	json_object_del(json, "function_id");
	json_object_set_new(json, "cpus", json_real((double)f->spec->cpu_millis / 1000));
	json_object_del(json, "cpu_millis");
	json_object_del(json, "environment");
	json_object_set_new(json, "status", json_text(f->status));
	json_object_set_new(json, "created_at", json_time(f->created_at_us));
	json_object_set_new(json, "updated_at", json_time(f->updated_at_us));
	return json;
}

json_t *function_json_whole(const struct db_function *f, const struct conf *conf)
{
	json_t *json = function_json(f);

	json_object_set_new(json, "environment", environment_masked(f->spec->environment));
	json_object_set_new(json, "limits", limits_in_force(conf, f->spec));
	return json;
}
