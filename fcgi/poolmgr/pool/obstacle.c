#include "poolmgr/pool/obstacle.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "poolmgr/catalog/shape.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/node/egress.h"
#include "poolmgr/pool/room.h"
#include "poolmgr/sandbox/image.h"

#define LASTING_US     30000000 /* an obstacle that a person must remove lasts minutes, not seconds */
#define RETRY_LEAST_MS 1000
#define RETRY_MOST_MS  300000

static struct docker *docker;

const char *obstacle_to_egress(const struct driver *driver)
{
	if (egress_problem() != NULL)
		return egress_problem();
	if (docker_is_up(docker) && !docker_offers(docker, driver->egress_runtime))
		return "Docker Engine does not know the network for egress: run scripts/egress up on this node";
	return NULL;
}

const char *obstacle_lasting(const struct shape *s)
{
	static char text[LANGUAGE_TEXT_SIZE];

	if (shape_memory_mb(s) > room_budget_mb()) {
		snprintf(text, sizeof(text),
			 "a sandbox for a memory_limit_mb of %lld needs %lld MB; this node has for all sandboxes %lld MB "
			 "(pool.memory_budget_mb)",
			 (long long)s->key.memory_mb, (long long)shape_memory_mb(s), (long long)room_budget_mb());
		return text;
	}
	if (!docker_is_up(docker)) /* it is not known what the engine has */
		return NULL;
	if (!docker_offers(docker, s->key.driver->engine_runtime))
		return s->key.driver->missing;
	if (image_is_missing(s->key.language_version))
		return language_missing_text(s->key.language_version, text);
	return s->key.egress ? obstacle_to_egress(s->key.driver) : NULL;
}

static bool engine_is_down(void)
{
	return !docker_is_up(docker) && !docker_is_unknown(docker);
}

static bool starts_fail(const struct shape *s)
{
	return s->failures > 1 && s->starting == 0; /* a single failure may be bad luck */
}

const char *obstacle_any(const struct shape *s)
{
	const char *lasting = obstacle_lasting(s);

	return lasting != NULL ? lasting : engine_is_down() ? docker_problem(docker) : starts_fail(s) ? s->problem : NULL;
}

/* The time until a sandbox of this shape that is started now could be ready. */
static int64_t until_started_us(const struct shape *s)
{
	int64_t pause_us = MAX(0, s->retry_us - clock_mono_us());

	if (obstacle_lasting(s) != NULL)
		return LASTING_US;
	if (engine_is_down())
		pause_us = MAX(pause_us, docker_retry_ms(docker) * 1000);
	return pause_us + s->start_us;
}

int64_t obstacle_retry_after_ms(const struct version *v)
{
	int64_t wait_us = store_is_up() ? 0 : store_retry_ms() * 1000;

	if (v != NULL) {
		if (v->package == PACKAGE_READY)
			wait_us = 0;
		if (v->live == 0)
			wait_us = MAX(wait_us, until_started_us(v->shape));
		wait_us += MAX(v->waiting, 1) * v->usual_us / MAX(v->live, 1); /* the denied request is in the queue itself */
	}
	return MAX(RETRY_LEAST_MS, MIN(RETRY_MOST_MS, wait_us / 1000));
}

void obstacle_init(struct docker *d)
{
	docker = d;
}
