#include "poolmgr/sandbox/renewal.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "ipc/ipc.h"
#include "poolmgr/node/client.h"
#include "poolmgr/sandbox/image.h"
#include "poolmgr/sandbox/sandbox.h"

#define PACE_US      500000   /* pause between two sandboxes of a shape when the shape has enough spares */
#define SLOW_PACE_US 10000000 /* pause when it has not */

static bool replacing; /* there may be sandboxes of an older image */

void renewal_adopt(const struct language_version *version)
{
	for (int state = 0; state < SANDBOX_DYING; state++) {
		struct sandbox *s;
		DL_FOREACH (sandbox_lists[state], s)
			if (s->shape->key.language_version == version && s->image_id[0] == '\0')
				snprintf(s->image_id, sizeof(s->image_id), "%s", image_of(version));
	}
}

void renewal_begin(void)
{
	replacing = true;
}

bool renewal_is_due(const struct sandbox *s)
{
	const char *id = image_of(s->shape->key.language_version);

	return id[0] != '\0' && strcmp(s->image_id, id) != 0;
}

/* The sandbox to replace next: idle ones come before leased ones. */
static struct sandbox *next_of(const struct shape *shape)
{
	static const enum sandbox_state order[] = {SANDBOX_SPARE, SANDBOX_IDLE, SANDBOX_LEASED};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct sandbox *s;
		DL_FOREACH (sandbox_lists[order[i]], s)
			if (s->shape == shape && s->unwanted == 0 && renewal_is_due(s))
				return s;
	}
	return NULL;
}

/* Whether any sandbox of an older image is left. Those that are in another state now will be spare or idle later. */
static bool any_left(void)
{
	for (int state = 0; state < SANDBOX_DYING; state++) {
		const struct sandbox *s;
		DL_FOREACH (sandbox_lists[state], s)
			if (s->unwanted == 0 && renewal_is_due(s))
				return true;
	}
	return false;
}

/* Its worker gives it back after the current invocation, and it is not used again (pool_release). */
static void ask_back(struct sandbox *s)
{
	struct ipc_msg m = {.type = IPC_RECALL, .recall.lease_id = s->lease_id};

	s->unwanted = COUNT_KILL_IMAGE;
	if (!s->recalled)
		client_send(s->holder, &m);
	s->recalled = true;
}

/* Only if a new sandbox can start; otherwise there would be none in the end. */
static bool may_lose_one(const struct shape *shape, int64_t now_us)
{
	bool has_its_spares = shape->spare_count >= shape_spares_wanted(shape, now_us);
	int64_t pause_us = has_its_spares ? PACE_US : SLOW_PACE_US;

	return shape->starting == 0 && shape->failures == 0 && now_us - shape->replaced_us >= pause_us;
}

void renewal_tick(int64_t now_us)
{
	struct shape *shape;

	if (!replacing)
		return;
	replacing = any_left();
	DL_FOREACH (shapes, shape) {
		struct sandbox *s = next_of(shape);
		if (s == NULL || !may_lose_one(shape, now_us))
			continue;
		shape->replaced_us = now_us;
		if (s->state == SANDBOX_LEASED)
			ask_back(s);
		else
			sandbox_kill(s, COUNT_KILL_IMAGE);
	}
}
