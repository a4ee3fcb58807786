#include "worker/metrics.h"

#include <jansson.h>

#include "worker/health.h"
#include "worker/problem.h"
#include "worker/response.h"
#include "worker/worker.h"

/* What poolmgr says of more than the pool. */
static const char *const besides[] = {"berthd", "processes", "lanes", "spool_bytes"};

void metrics_system(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(health_log_database) struct worker *used = w;
	AUTO(json_decrefp) json_t *json = json_object();
	AUTO(json_decrefp) json_t *pool = NULL;
	struct err err;

	(void)request;
	if (health_ask_poolmgr(w, true, &pool, &err) < 0) {
		problem_respond(response, PROBLEM_RUNTIME_UNAVAILABLE, NULL, "The pool manager does not answer: %s", err.msg);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(besides); i++) {
		json_object_set(json, besides[i], json_object_get(pool, besides[i]));
		json_object_del(pool, besides[i]);
	}
	health_check_database(w, json);
	json_object_set(json, "pool", pool);
	response_json(response, 200, "application/json", json);
}
