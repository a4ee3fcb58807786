/* The service of the control workers: everything but running functions. */
#include "base/defs.h"
#include "db/db.h"
#include "worker/functions.h"
#include "worker/health.h"
#include "worker/invocation.h"
#include "worker/invocation_query.h"
#include "worker/invocations.h"
#include "worker/memory.h"
#include "worker/metrics.h"
#include "worker/period.h"
#include "worker/prometheus.h"
#include "worker/service.h"
#include "worker/worker.h"

static const struct route routes[] = {
	{METHOD_POST, "/functions", "", ROUTE_DEPLOYMENT, functions_create},
	{METHOD_GET, "/functions", "limit cursor", ROUTE_NO_BODY, functions_list},
	{METHOD_GET, "/functions/{id}", "", ROUTE_NO_BODY, functions_get},
	{METHOD_PUT, "/functions/{id}", "", ROUTE_DEPLOYMENT, functions_update},
	{METHOD_DELETE, "/functions/{id}", "", ROUTE_NO_BODY, functions_delete},

	{METHOD_GET, "/functions/{id}/invocations", INVOCATION_QUERY_PARAMS, ROUTE_NO_BODY, invocations_list},
	{METHOD_GET, "/invocations/{id}", "", ROUTE_NO_BODY, invocations_get},
	{METHOD_GET, "/invocations/{id}/logs", "format cursor", ROUTE_NO_BODY, invocations_log},

	{METHOD_GET, "/metrics", "", ROUTE_NO_BODY, prometheus_tell},
	{METHOD_GET, "/metrics/system", PERIOD_PARAMS " runtime", ROUTE_NO_BODY, metrics_system},
	{METHOD_GET, "/metrics/functions/{id}", PERIOD_PARAMS " version runtime", ROUTE_NO_BODY, metrics_function},
	{METHOD_GET, "/metrics/runtimes", PERIOD_PARAMS " function version", ROUTE_NO_BODY, metrics_runtimes},

	{METHOD_GET, "/limits", "", ROUTE_NO_BODY, health_limits},
	{METHOD_GET, "/healthz", "", ROUTE_NO_BODY, health_alive},
	{METHOD_GET, "/readyz", "", ROUTE_NO_BODY, health_ready},
};

static int begin(struct worker *w, struct err *err)
{
	if (memory_bound(w->conf, err) < 0)
		return -1;
	w->db = db_new(w->conf, "berth-control");
	return language_load_all(w->conf, &w->languages, err);
}

static void rest(struct worker *w)
{
	invocation_rest(w->invocation);
	memory_rest();
}

static void end(struct worker *w)
{
	language_free(&w->languages);
	db_free(&w->db);
}

const struct service control_service = {
	.role = CHILD_CONTROL,
	.routes = routes,
	.route_count = ARRAY_SIZE(routes),
	.begin = begin,
	.rest = rest,
	.end = end,
};

int control_main(const struct heritage *heritage)
{
	return worker_run(heritage, &control_service);
}
