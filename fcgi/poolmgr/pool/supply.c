#include "poolmgr/pool/supply.h"

#include <stdbool.h>
#include <utlist.h>

#include "base/clock.h"
#include "poolmgr/node/headroom.h"
#include "poolmgr/pool/demand.h"
#include "poolmgr/pool/obstacle.h"
#include "poolmgr/pool/room.h"
#include "poolmgr/pool/waiter.h"
#include "poolmgr/sandbox/boot.h"
#include "poolmgr/sandbox/sandbox.h"

#define SPARE_PAUSE 5 /* on a busy node, the pause between two starts is this many times the duration of a start */

/* The purposes of starts; each includes the previous ones. */
enum purpose { FOR_WAITING, FOR_KEPT, FOR_SPARES };

static const struct conf *conf;
static struct docker *docker;
static bool stopped;
static int64_t spare_us; /* when a spare was last started */

void supply_deny_if_hopeless(struct version *v)
{
	if (v->live > 0 || v->shape->spares != NULL)
		return;
	const char *obstacle = obstacle_any(v->shape);
	if (obstacle != NULL)
		waiter_deny_all(v, PROBLEM_RUNTIME_UNAVAILABLE, obstacle, obstacle_retry_after_ms(v));
}

static void deny_hopeless_of(struct shape *shape)
{
	struct version *v, *next;

	DL_FOREACH_SAFE2 (shape->hungry, v, next, hungry_next)
		supply_deny_if_hopeless(v);
}

void supply_deny_hopeless(void)
{
	struct shape *shape;

	DL_FOREACH (shapes, shape)
		deny_hopeless_of(shape);
}

/* The number of sandboxes of the shape that should be ready or starting. */
static int wanted(const struct shape *shape, enum purpose purpose, int64_t now_us)
{
	int n = demand_waiting(shape);

	if (purpose >= FOR_KEPT)
		n += demand_kept_of(shape, now_us);
	if (purpose >= FOR_SPARES)
		n += shape_spares_wanted(shape, now_us);
	return n;
}

static int startable(void)
{
	return (int)conf->pool_max_starts - sandbox_counts[SANDBOX_CREATING] - sandbox_counts[SANDBOX_BOOTING];
}

/*
 * How many sandboxes of the shape should be ready or starting. On a busy node a spare is started only where there is none, and
 * so seldom that it takes a fifth of one processor: starting one costs as much as thousands of invocations.
 */
static int affordable(const struct shape *shape, enum purpose purpose, int64_t now_us)
{
	int most = wanted(shape, purpose, now_us);

	if (purpose < FOR_SPARES || headroom_is_there())
		return most;
	bool is_due = now_us >= spare_us + SPARE_PAUSE * shape->start_us;
	return MIN(most, MAX(wanted(shape, FOR_KEPT, now_us), is_due ? 1 : 0));
}

/* Starts the sandboxes that the shape lacks; others are not evicted for spares. False: there is not enough room yet. */
static bool top_up_shape(struct shape *shape, enum purpose purpose, int64_t now_us)
{
	if (obstacle_lasting(shape) != NULL) {
		deny_hopeless_of(shape);
		return true;
	}
	int n = affordable(shape, purpose, now_us);

	while (shape->spare_count + shape->starting < n && now_us >= shape->retry_us && startable() > 0) {
		int more = MIN(n - shape->spare_count - shape->starting, startable());
		if (!room_for(shape)) {
			if (purpose < FOR_SPARES)
				room_make(shape, more, purpose == FOR_WAITING);
			return false;
		}
		if (purpose == FOR_SPARES)
			spare_us = now_us;
		boot_start(shape);
	}
	return true;
}

/* Room that is being made for one purpose is not used for a later one, which may need less and would take it piece by piece. */
static void top_up(enum purpose purpose)
{
	static bool running; /* a start that fails at once calls this function again */
	bool is_room = true;
	struct shape *shape;
	int64_t now_us = clock_mono_us();

	if (running || stopped || !docker_is_up(docker))
		return;
	running = true;
	for (enum purpose p = FOR_WAITING; p <= purpose && is_room; p++)
		DL_FOREACH (shapes, shape)
			is_room = top_up_shape(shape, p, now_us) && is_room;
	running = false;
	if (shapes != NULL) { /* so that another version is first next time */
		shape = shapes;
		DL_DELETE(shapes, shape);
		DL_APPEND(shapes, shape);
	}
}

void supply_now(void)
{
	top_up(FOR_WAITING);
}

static void trim_spares(int64_t now_us)
{
	struct shape *shape, *next;

	DL_FOREACH_SAFE (shapes, shape, next) {
		if (shape->hungry == NULL && shape->spare_count > wanted(shape, FOR_SPARES, now_us))
			sandbox_kill(shape->spares, COUNT_EVICT_SURPLUS);
		shape_forget_if_unused(shape, now_us);
	}
}

/*
 * Spares are replaced only here and not when one is taken: starting a container uses most of a core for a while, which would
 * slow down the request that has just got the spare.
 */
void supply_tick(int64_t now_us)
{
	headroom_tick(now_us, conf->pool_spare_idle_percent);
	trim_spares(now_us);
	top_up(FOR_SPARES);
}

void supply_stop(void)
{
	stopped = true;
}

void supply_init(struct docker *d)
{
	docker = d;
	headroom_init("/proc/stat");
}

void supply_set_conf(const struct conf *c)
{
	conf = c;
}
