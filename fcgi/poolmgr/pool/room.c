#include "poolmgr/pool/room.h"

#include <utlist.h>

#include "poolmgr/sandbox/sandbox.h"

static const struct conf *conf;
static int64_t budget_mb;

int64_t room_budget_mb(void)
{
	return budget_mb;
}

bool room_for(const struct shape *shape)
{
	return sandbox_total() < conf->pool_max_sandboxes && sandbox_total_memory_mb() + shape_memory_mb(shape) <= budget_mb;
}

/* Whether there will be room for this number and this much memory when all DYING sandboxes are gone. */
static bool will_have(int sandboxes, int64_t memory_mb)
{
	int left = sandbox_total() - sandbox_counts[SANDBOX_DYING];
	int64_t left_mb = sandbox_total_memory_mb() - sandbox_memory_mb[SANDBOX_DYING];

	return left + sandboxes <= conf->pool_max_sandboxes && left_mb + memory_mb <= budget_mb;
}

static bool is_kept(const struct sandbox *s)
{
	return s->version->live <= s->version->min_warm;
}

static bool evict_idle(bool kept)
{
	struct sandbox *s;

	DL_FOREACH (sandbox_lists[SANDBOX_IDLE], s)
		if (is_kept(s) == kept) {
			sandbox_kill(s, COUNT_EVICT_FULL);
			return true;
		}
	return false;
}

/* A spare of the shape that has been unused for the longest time. */
static bool evict_spare(const struct shape *needy)
{
	struct shape *shape, *victim = NULL;

	DL_FOREACH (shapes, shape)
		if (shape != needy && shape->spares != NULL && shape->hungry == NULL &&
		    (victim == NULL || shape->used_us < victim->used_us))
			victim = shape;
	if (victim == NULL)
		return false;
	sandbox_kill(victim->spares, COUNT_EVICT_FULL);
	return true;
}

static void make(const struct shape *needy, int sandboxes, int64_t memory_mb, bool for_requests)
{
	while (!will_have(sandboxes, memory_mb) &&
	       (evict_idle(false) || evict_spare(needy) || (for_requests && evict_idle(true))))
		;
}

void room_make(const struct shape *shape, int count, bool for_requests)
{
	make(shape, count, count * shape_memory_mb(shape), for_requests);
}

static void end_idle(int64_t now_us)
{
	struct sandbox *s, *next;

	/* The list is in the order in which they became idle. */
	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_IDLE], s, next) {
		if (now_us - s->since_us < conf->pool_idle_timeout_ms * 1000)
			break;
		if (!is_kept(s))
			sandbox_kill(s, COUNT_EVICT_IDLE);
	}
}

void room_enforce(void)
{
	make(NULL, 0, 0, false);
}

void room_tick(int64_t now_us)
{
	end_idle(now_us);
	room_enforce();
}

void room_set_conf(const struct conf *c)
{
	conf = c;
	budget_mb = conf_memory_budget_mb(conf);
}
