#include "poolmgr/pool/demand.h"

#include <utlist.h>

#include "base/clock.h"
#include "poolmgr/catalog/shape.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/pool/waiter.h"

/*
 * If the sandboxes of a version become free soon enough, waiting for one is better than getting another: starting a container
 * takes some hundred milliseconds and most of a core, and assigning a spare some milliseconds, after which the spare must be
 * replaced.
 */
#define SPARE_WORTH_US 20000
#define START_WORTH_US 100000

/*
 * A request that has waited this long in spite of the forecast gets another sandbox, because all existing ones may be busy with
 * slow invocations. A container is started for a request that has waited for the duration of a start; on a busy machine starts
 * take longer, and slow down others.
 */
#define LATE_US 100000

/*
 * Workers keep the sandbox of a function that is called again and again. If several workers have to share one, it moves between
 * them, which costs more than the invocation. This number of collisions within a tick or two justifies one more sandbox, until
 * there is one for each worker that may accept requests at a time (invoke.turns).
 */
#define COLLISIONS_WORTH 8

static const struct conf *conf;
static struct version *collided; /* versions with collisions; holds references, linked by collided_next */

void demand_note_collision(struct version *v)
{
	v->collisions++;
	if (v->collided)
		return;
	v->collided = true;
	version_ref(v);
	DL_APPEND2(collided, v, collided_prev, collided_next);
}

void demand_tick(void)
{
	struct version *v, *next;

	DL_FOREACH_SAFE2 (collided, v, next, collided_next) {
		v->collisions /= 2;
		if (v->collisions > 0)
			continue;
		DL_DELETE2(collided, v, collided_prev, collided_next);
		v->collided = false;
		version_unref(&v);
	}
}

static int late(const struct version *v, int64_t late_us)
{
	int64_t now_us = clock_mono_us();
	const struct waiter *w;
	int n = 0;

	for (w = v->waiters; w != NULL && now_us - w->queued_us >= late_us; w = w->next)
		n++;
	return n;
}

/*
 * The number of waiting requests that the version's sandboxes can serve within that time. A function whose duration is not
 * known yet is assumed to be fast when a spare would be taken, and very fast when a container would be started: its duration is
 * soon known, and starting too many containers at once slows down everything.
 */
static int64_t served_within(const struct version *v, int64_t time_us)
{
	int64_t sandboxes = MAX(v->live, 1);

	if (version_is_single_use(v))
		return 0;
	if (v->usual_us == 0)
		return time_us > SPARE_WORTH_US ? v->waiting : sandboxes;
	return sandboxes * time_us / v->usual_us;
}

/*
 * The number of additional sandboxes that the version's queue justifies, if getting one costs as much as waiting for cost_us,
 * or if requests have waited for late_us.
 */
static int shortage(const struct version *v, int64_t cost_us, int64_t late_us)
{
	int more = MAX((int)MAX(0, v->waiting - served_within(v, cost_us)), late(v, late_us));

	if (v->waiting > 0 && (v->live == 0 || (v->collisions >= COLLISIONS_WORTH && v->live < conf_turns(conf))))
		more = MAX(more, 1);
	return MAX(0, MIN(more - v->coming, (int)v->spec->max_concurrency - v->live));
}

int demand_for_spares(const struct version *v)
{
	return shortage(v, SPARE_WORTH_US, LATE_US);
}

static int for_start(const struct version *v)
{
	return shortage(v, START_WORTH_US, MAX(LATE_US, v->shape->start_us));
}

int demand_kept(const struct version *v, int64_t now_us)
{
	if (v->stale || now_us < v->min_warm_retry_us)
		return 0;
	return MAX(0, v->min_warm - v->live);
}

int demand_waiting(const struct shape *shape)
{
	const struct version *v;
	int total = 0;

	DL_FOREACH2 (shape->hungry, v, hungry_next)
		total += for_start(v);
	return total;
}

int demand_kept_of(const struct shape *shape, int64_t now_us)
{
	const struct version *v;
	int total = 0;

	DL_FOREACH2 (shape->kept, v, kept_next)
		total += MAX(0, demand_kept(v, now_us) - for_start(v));
	return total;
}

void demand_set_conf(const struct conf *c)
{
	conf = c;
}
