#include "poolmgr/pool/demand.h"

#include <utlist.h>

#include "base/clock.h"
#include "poolmgr/catalog/shape.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/pool/waiter.h"

/*
 * When the sandboxes a version has will come free soon enough, waiting for one is better than taking another: starting a
 * container costs some hundred milliseconds and most of a core, assigning a spare some milliseconds, and then the spare is
 * replaced.
 */
#define SPARE_WORTH_US 20000
#define START_WORTH_US 100000

/*
 * Who has waited that long in spite of the forecast gets another sandbox: perhaps all there are busy with something slow. A
 * start is begun for who has waited for as long as one takes. On a busy machine they take longer, and others pay for them.
 */
#define LATE_US 100000

/*
 * Workers keep the sandbox of a function that is called again and again. When several have to share one, it wanders between
 * them, which costs more than the invocation. So many collisions in a tick or two are worth one sandbox more, until each worker
 * that may accept requests at a time (invoke.turns) has one.
 */
#define COLLISIONS_WORTH 8

static const struct conf *conf;
static struct version *collided; /* those that have collisions; references, by collided_next */

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
 * How many of the waiting the version's sandboxes serve within that time. A function not known yet is taken for a fast one
 * where a spare would be taken, and for a very fast one where a container would be started: it is found out soon enough, and
 * starting too many at once slows down everybody.
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
 * How many more sandboxes the version's queue is worth, when getting one costs as much as waiting for cost_us, or who waits has
 * waited for late_us.
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
	if (v->stale || now_us < v->keep_retry_us)
		return 0;
	return MAX(0, v->keep - v->live);
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
