/* The service of the invoke workers: running functions. */
#include "invoke/invoke.h"

#include "base/defs.h"
#include "invoke/execute.h"
#include "invoke/spool.h"
#include "run/invocation.h"
#include "worker/worker.h"

static const struct route routes[] = {
	{METHOD_POST, "/execute/{id}", "version", ROUTE_INVOCATION, execute},
};

static int begin(struct worker *w, struct err *err)
{
	(void)err;
	w->spool = spool_new(w->conf, w->slot, scoreboard_spool_bytes(w->board));
	return 0;
}

/* Called after the answer was sent: its output was in the invocation's buffer, which may be reused from now on. */
static void after_request(struct worker *w)
{
	invocation_trim(w->invocation);
}

static void end(struct worker *w)
{
	spool_free(&w->spool);
}

const struct service invoke_service = {
	.routes = routes,
	.route_count = ARRAY_SIZE(routes),
	.begin = begin,
	.after_request = after_request,
	.end = end,
};

int invoke_main(const struct inherited *inherited)
{
	return worker_run(inherited, &invoke_service);
}
