#include "poolmgr/image.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "poolmgr/client.h"
#include "poolmgr/sandbox.h"

#define PACE_US     500000   /* from one of a shape to the next, when the shape has the spares it should have */
#define PATIENCE_US 10000000 /* and when it has not */

struct image {
	const struct language *language;
	char id[DOCKER_IMAGE_ID_SIZE];
	struct image *next;
};

static struct image *images;
static bool replacing; /* there may be sandboxes of an older one */

static struct image *find(const struct language *language)
{
	struct image *i;

	LL_SEARCH_SCALAR(images, i, language, language);
	return i;
}

const char *image_of(const struct language *language)
{
	const struct image *i = find(language);

	return i != NULL ? i->id : "";
}

/* What was started before anything was known is taken for what is there when it is. */
static void adopt(const struct language *language, const char *id)
{
	for (int state = 0; state < SANDBOX_DYING; state++) {
		struct sandbox *s;
		DL_FOREACH (sandbox_lists[state], s)
			if (s->shape->key.language == language && s->image_id[0] == '\0')
				snprintf(s->image_id, sizeof(s->image_id), "%s", id);
	}
}

void image_learn(const struct language *language, const char *id)
{
	struct image *i = find(language);

	if (id[0] == '\0' || strlen(id) >= sizeof(i->id))
		return;
	if (i == NULL) {
		i = mem_alloc(sizeof(*i));
		i->language = language;
		LL_APPEND(images, i);
		adopt(language, id);
	} else if (strcmp(i->id, id) != 0) {
		log_info("the image of %s is another one, %s: its sandboxes are replaced", language->name, id);
		replacing = true;
	}
	snprintf(i->id, sizeof(i->id), "%s", id);
}

bool image_is_outdated(const struct sandbox *s)
{
	const char *id = image_of(s->shape->key.language);

	return id[0] != '\0' && strcmp(s->image_id, id) != 0;
}

/* The one to go next: what is idle before what a worker has. */
static struct sandbox *next_of(const struct shape *shape)
{
	static const enum sandbox_state order[] = {SANDBOX_SPARE, SANDBOX_IDLE, SANDBOX_LEASED};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct sandbox *s;
		DL_FOREACH (sandbox_lists[order[i]], s)
			if (s->shape == shape && !s->to_go && image_is_outdated(s))
				return s;
	}
	return NULL;
}

/* Whatever it does now, it will be idle some time. */
static bool any_left(void)
{
	for (int state = 0; state < SANDBOX_DYING; state++) {
		const struct sandbox *s;
		DL_FOREACH (sandbox_lists[state], s)
			if (!s->to_go && image_is_outdated(s))
				return true;
	}
	return false;
}

/* Its worker gives it back after the invocation in hand, and it is not used again (pool_release). */
static void ask_back(struct sandbox *s)
{
	struct ipc_msg m = {.type = IPC_RECALL, .recall.lease_id = s->lease_id};

	s->to_go = true;
	if (!s->recalled)
		client_send(s->holder, &m);
	s->recalled = true;
}

/* A new one has to be able to start, or there would be none in the end. */
static bool may_lose_one(const struct shape *shape, int64_t now_us)
{
	bool has_its_spares = shape->spare_count >= shape_spares_wanted(shape, now_us);
	int64_t pause_us = has_its_spares ? PACE_US : PATIENCE_US;

	return shape->starting == 0 && shape->failures == 0 && now_us - shape->replaced_us >= pause_us;
}

void image_tick(int64_t now_us)
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
