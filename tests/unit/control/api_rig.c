#include "tests/unit/control/api_rig.h"

#include "base/mem.h"
#include "control/control.h"
#include "db/db.h"
#include "http/response.h"
#include "http/route.h"
#include "tests/support/described.h"
#include "tests/unit/unit.h"
#include "worker/worker.h"

static struct conf *conf;
static struct worker worker;

int api_rig_start(void **state)
{
	pg_group_start(state);
	pg_scratch_reset(pg);
	conf = pg_scratch_conf(pg);
	worker = (struct worker){.service = &control_service, .conf = conf, .db = db_new(conf, "test")};
	return 0;
}

int api_rig_stop(void **state)
{
	db_free(&worker.db);
	conf_free(&conf);
	return pg_group_stop(state);
}

static const char *no_variable(void *context, const char *name)
{
	(void)context;
	(void)name;
	return NULL;
}

json_t *api_rig_get(const char *uri, int status)
{
	const char *query = strchr(uri, '?');
	struct request_source source = {
		.method = "GET", .uri = uri, .query = query != NULL ? query + 1 : "", .variable = no_variable};
	AUTO(response_free) struct response response = {0};
	struct request request;
	struct err err = {0};

	assert_ok(request_parse(&source, &request, &err));
	request.body = "";
	response_begin(&response, &request);
	const struct route *route =
		route_select(control_service.routes, control_service.route_count, conf, &request, &response);
	if (route != NULL)
		route->handler(&worker, &request, &response);
	const char *body = strstr(response.out.data, "\r\n\r\n") + 4;
	json_t *json = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	if (response.status != status)
		fail_msg("GET %s: status %d\n%s\ninstead of %d", uri, response.status, body, status);
	assert_answer_described("GET", uri, status, json);
	return json;
}

void api_rig_answers(const char *uri, const char *json)
{
	AUTO(json_decrefp) json_t *actual = api_rig_get(uri, 200);
	AUTO(json_decrefp) json_t *wanted = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	char *text = json_dumps(actual, JSON_COMPACT);

	assert_non_null(wanted);
	if (!json_equal(actual, wanted))
		fail_msg("GET %s:\n%s\ninstead of\n%s", uri, text, json);
	free(text);
}
