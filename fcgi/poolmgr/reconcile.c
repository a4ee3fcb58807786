#include "poolmgr/reconcile.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "poolmgr/client.h"
#include "poolmgr/sandbox.h"

#define ADOPTION_US 1500000
#define PERIOD_US   30000000

static struct docker *docker;
static int64_t started_us, next_us;
static int64_t listed_us;                                          /* when the listing under way was asked for; 0: none is */
static enum { RUNNING, STOP_ASKED, STOP_LISTING, STOP_DONE } stop; /* at the end, one more listing is made */

static bool adopting(void)
{
	return stop == RUNNING && clock_mono_us() - started_us < ADOPTION_US;
}

static void on_container(const char *id, bool running, void *arg)
{
	struct sandbox *s = sandbox_find(id);

	(void)arg;
	if (s == NULL) {
		if (!adopting() && !client_anyone_holds(id))
			sandbox_remove_stray(id);
		return;
	}
	s->listed_us = listed_us;
	/* What was not up yet when the listing was asked for may be up by now. */
	if (!running && s->state > SANDBOX_BOOTING && s->booted_us < listed_us)
		sandbox_died(s, -1);
}

/* A sandbox that was up when the listing was asked for and is not in it has lost its container. */
static void find_lost(void)
{
	struct sandbox *s, *next;

	for (int state = SANDBOX_SPARE; state < SANDBOX_DYING; state++)
		DL_FOREACH_SAFE (sandbox_lists[state], s, next)
			if (s->booted_us < listed_us && s->listed_us != listed_us)
				sandbox_died(s, -1);
}

static void on_listed(const struct err *err, void *arg)
{
	(void)arg;
	if (err != NULL)
		log_warn("cannot compare with Docker: %s", err->msg);
	else
		find_lost();
	listed_us = 0;
	if (err == NULL && !adopting())
		sandbox_sweep_directories(client_anyone_holds);
	if (stop == STOP_LISTING)
		stop = STOP_DONE;
	else if (stop == STOP_ASKED)
		reconcile_stop();
}

void reconcile_now(void)
{
	if (listed_us != 0 || !docker_is_up(docker))
		return;
	listed_us = clock_mono_us();
	next_us = listed_us + (adopting() ? started_us + ADOPTION_US - listed_us : PERIOD_US);
	docker_list(docker, on_container, on_listed, NULL);
}

void reconcile_stop(void)
{
	stop = STOP_ASKED;
	if (listed_us != 0)
		return; /* comes back when that listing is there */
	stop = docker_is_up(docker) ? STOP_LISTING : STOP_DONE;
	reconcile_now();
}

bool reconcile_is_over(void)
{
	return stop == STOP_DONE && sandbox_strays() == 0;
}

void reconcile_tick(int64_t now_us)
{
	if (now_us >= next_us)
		reconcile_now();
}

void reconcile_init(struct docker *d)
{
	docker = d;
	started_us = clock_mono_us();
}
