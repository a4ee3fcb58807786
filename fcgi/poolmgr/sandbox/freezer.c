#include "poolmgr/sandbox/freezer.h"

#include <stdbool.h>
#include <utlist.h>

#include "poolmgr/catalog/version.h"
#include "poolmgr/sandbox/sandbox.h"

#define BREATH_PERIOD_US 20000000
#define BREATH_US        60000 /* at least a tick */
#define LOOK_MOST_US     1000000

static const struct conf *conf;
static struct docker *docker;

/*
 * Frozen sandboxes are thawed for a moment at intervals, so that signals sent to them take effect, and so that gVisor's kernel,
 * which Docker Engine must ask to end a sandbox, can answer.
 */
static bool breathes(int64_t frozen_us)
{
	return frozen_us % BREATH_PERIOD_US >= BREATH_PERIOD_US - BREATH_US;
}

static void freeze(struct sandbox *s)
{
	bool was_frozen = s->cgroup.frozen;

	cgroup_freeze(&s->cgroup);
	/* A secret is found only in what is read at once. So the late output of a function that has secrets is left to its end.
	 */
	if (s->cgroup.frozen && !was_frozen && s->version != NULL && s->version->secrets.len == 0)
		sandbox_read_late(s);
}

/* Looks at a sandbox that is not frozen yet; the longer it has been idle, the less often. */
static void freeze_restless(struct sandbox *s, int64_t now_us)
{
	int64_t idle_us = now_us - s->since_us;

	if (s->state != SANDBOX_IDLE || s->cgroup.frozen || now_us < s->cpu_look_us)
		return;
	s->cpu_look_us = now_us + MIN(idle_us / 8, LOOK_MOST_US);
	s->restless = s->restless || cgroup_is_restless(sandbox_background_us(s), idle_us);
	if (s->restless)
		freeze(s);
}

/* The lists are in the order in which the sandboxes entered the state. */
static void freeze_all(enum sandbox_state state, int64_t now_us)
{
	struct sandbox *s;

	DL_FOREACH (sandbox_lists[state], s) {
		int64_t frozen_us = now_us - s->since_us - conf->pool_freeze_after_ms * 1000;
		if (frozen_us < 0) {
			freeze_restless(s, now_us);
			continue;
		}
		if (breathes(frozen_us))
			cgroup_thaw(&s->cgroup);
		else
			freeze(s);
	}
}

/* Docker Engine ends its containers when it stops or starts, and waits long for frozen ones. */
static void thaw_all(enum sandbox_state state)
{
	struct sandbox *s;

	DL_FOREACH (sandbox_lists[state], s)
		cgroup_thaw(&s->cgroup);
}

static void freeze_if_heard(enum sandbox_state state, int64_t now_us)
{
	if (docker_is_heard(docker))
		freeze_all(state, now_us);
	else
		thaw_all(state);
}

void freezer_freeze(struct sandbox *s)
{
	if (docker_is_heard(docker))
		freeze(s);
}

void freezer_tick(int64_t now_us)
{
	freeze_if_heard(SANDBOX_SPARE, now_us);
	freeze_if_heard(SANDBOX_IDLE, now_us);
}

void freezer_init(const struct conf *c, struct docker *d)
{
	docker = d;
	freezer_set_conf(c);
}

void freezer_set_conf(const struct conf *c)
{
	conf = c;
}
