/*
 * The service of all workers except invoke workers: everything but running functions. nginx sorts the requests into pools
 * (nginx/berth.conf.in), so that slow requests do not delay fast ones: deploy tries new versions, query reads possibly large
 * amounts of data, health answers whether Berth works, and control serves all other requests, which are answered at once. Each
 * worker can serve any request, because an nginx that still has an older configuration sends all of them to control.
 */
#include "control/control.h"

#include <stdio.h>

#include "api/db_log.h"
#include "api/memory.h"
#include "base/defs.h"
#include "control/functions/functions.h"
#include "control/health/health.h"
#include "control/health/limits.h"
#include "control/invocations/invocation_query.h"
#include "control/invocations/invocations.h"
#include "control/metrics/metrics.h"
#include "control/metrics/period.h"
#include "control/metrics/prometheus.h"
#include "db/db.h"
#include "run/invocation.h"
#include "worker/worker.h"

static const struct route routes[] = {
	{METHOD_POST, "/functions", "", ROUTE_DEPLOYMENT, functions_create},
	{METHOD_GET, "/functions", "limit cursor", ROUTE_NO_BODY, functions_list},
	{METHOD_GET, "/functions/{id}", "", ROUTE_NO_BODY, functions_get},
	{METHOD_PUT, "/functions/{id}", "", ROUTE_DEPLOYMENT, functions_update},
	{METHOD_DELETE, "/functions/{id}", "", ROUTE_NO_BODY, functions_delete},

	{METHOD_GET, "/functions/{id}/invocations", INVOCATION_QUERY_PARAMS, ROUTE_NO_BODY, invocations_list},
	{METHOD_GET, "/invocations", INVOCATION_SEARCH_PARAMS, ROUTE_NO_BODY, invocations_search},
	{METHOD_GET, "/invocations/{id}", "", ROUTE_NO_BODY, invocations_get},
	{METHOD_GET, "/invocations/{id}/logs", "format level cursor", ROUTE_NO_BODY, invocations_log},

	{METHOD_GET, "/metrics", "", ROUTE_NO_BODY, prometheus_get},
	{METHOD_GET, "/metrics/system", PERIOD_PARAMS " runtime", ROUTE_NO_BODY, metrics_system},
	{METHOD_GET, "/metrics/functions/{id}", PERIOD_PARAMS " version runtime", ROUTE_NO_BODY, metrics_function},
	{METHOD_GET, "/metrics/runtimes", PERIOD_PARAMS " function version", ROUTE_NO_BODY, metrics_runtimes},

	{METHOD_GET, "/limits", "", ROUTE_NO_BODY, limits_get},
	{METHOD_GET, "/healthz", "", ROUTE_NO_BODY, health_alive},
	{METHOD_GET, "/readyz", "", ROUTE_NO_BODY, health_ready},
};

/* A health check should not have to wait long for a negative answer. */
#define HEALTH_TIMEOUT_MS 1000

/* The timeouts of the pool's database connection. */
static const struct conf *database_conf(const struct worker *w)
{
	static struct conf own;

	own = *w->conf;
	if (w->role == CHILD_QUERY)
		own.database_statement_timeout_ms = w->conf->query_statement_timeout_ms;
	if (w->role == CHILD_HEALTH) {
		own.database_connect_timeout_ms = MIN(own.database_connect_timeout_ms, HEALTH_TIMEOUT_MS);
		own.database_statement_timeout_ms = MIN(own.database_statement_timeout_ms, HEALTH_TIMEOUT_MS);
	}
	return &own;
}

static int begin(struct worker *w, struct err *err)
{
	char application[32];

	if (memory_bound(w->conf, err) < 0)
		return -1;
	snprintf(application, sizeof(application), "berth-%s", child_role_name(w->role));
	w->db = db_new(database_conf(w), application);
	return language_load_all(w->conf, &w->languages, err);
}

static void after_request(struct worker *w)
{
	db_log_news(w->db);
	invocation_trim(w->invocation);
	memory_trim();
}

static void end(struct worker *w)
{
	language_free(&w->languages);
	db_free(&w->db);
}

const struct service control_service = {
	.routes = routes,
	.route_count = ARRAY_SIZE(routes),
	.begin = begin,
	.after_request = after_request,
	.end = end,
};

int control_main(const struct inherited *inherited)
{
	return worker_run(inherited, &control_service);
}
