#include "poolmgr/reconcile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "poolmgr/messages.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/sandbox/sandbox.h"
#include "poolmgr/sandbox/shim.h"
#include "poolmgr/sandbox/stray.h"

#define ADOPTION_US 1500000

static const struct conf *conf;
static struct docker *docker;
static uint64_t reported[COUNTER_COUNT]; /* values of the drift counters that were logged */
static int64_t started_us;
static int64_t latest_us; /* when the latest listing was requested */
static int64_t hurry_us;  /* when to request an extra listing; 0: none */
static int64_t listed_us; /* when the current listing was requested; 0: there is none */
static enum { RUNNING, STOP_ASKED, STOP_LISTING, STOP_DONE } stop; /* at the end of the current listing, request another one */

static bool adopting(void)
{
	return stop == RUNNING && clock_mono_us() - started_us < ADOPTION_US;
}

/* A leased sandbox is left to its worker, which notices by itself. */
static void lose(struct sandbox *s, enum counter what)
{
	if (s->state == SANDBOX_DYING || s->dead)
		return;
	counters[what]++;
	sandbox_died(s, -1);
}

static void on_container(const char *id, const char *container_id, bool running, void *arg)
{
	struct sandbox *s = sandbox_find(id);

	(void)arg;
	shim_listed(container_id);
	if (s == NULL) {
		if (!adopting() && !messages_anyone_holds(id))
			stray_remove(id, COUNT_DRIFT_CONTAINER);
		return;
	}
	s->listed_us = listed_us;
	/*
	 * A sandbox that was not up when the listing was requested may be up now, and Docker may learn that later than we do.
	 */
	if (!running && s->state > SANDBOX_BOOTING && s->booted_us < listed_us && s->started_us != 0 &&
	    s->started_us < listed_us)
		lose(s, COUNT_DRIFT_STOPPED);
}

/* A sandbox that was up when the listing was requested, but is not in it, has lost its container. */
static void find_lost(void)
{
	struct sandbox *s, *next;

	for (int state = SANDBOX_SPARE; state < SANDBOX_DYING; state++)
		DL_FOREACH_SAFE (sandbox_lists[state], s, next) {
			if (s->booted_us < listed_us && s->listed_us != listed_us)
				lose(s, COUNT_DRIFT_LOST);
			else if (directory_is_gone(s->dir_fd))
				lose(s, COUNT_DRIFT_UNLINKED);
		}
}

static void on_pruned(const struct err *err, void *arg)
{
	(void)arg;
	if (err != NULL)
		log_warn("unused volumes could not be removed: %s", err->msg);
}

/* Handles the sandboxes that are not in the list requested at listed_us. */
static void find_all_lost(void)
{
	find_lost();
	if (shim_judge(listed_us))
		hurry_us = listed_us + SHIM_SUSPICION_US;
	shim_search(); /* prepares for the next list */
	docker_prune(docker, on_pruned, NULL);
}

static void on_listed(const struct err *err, void *arg)
{
	(void)arg;
	if (err != NULL)
		log_warn("cannot compare with Docker: %s", err->msg);
	else
		find_all_lost();
	listed_us = 0;
	if (err == NULL && !adopting())
		stray_sweep_directories(messages_anyone_holds);
	if (stop == STOP_LISTING)
		stop = STOP_DONE;
	else if (stop == STOP_ASKED)
		reconcile_stop();
}

void reconcile_now(void)
{
	if (listed_us != 0 || !docker_is_up(docker))
		return;
	latest_us = listed_us = clock_mono_us();
	hurry_us = 0;
	docker_list(docker, on_container, on_listed, NULL);
}

void reconcile_stop(void)
{
	stop = STOP_ASKED;
	if (listed_us != 0)
		return; /* called again with the result of that listing */
	stop = docker_is_up(docker) ? STOP_LISTING : STOP_DONE;
	reconcile_now();
}

bool reconcile_is_over(void)
{
	return stop == STOP_DONE && stray_count() == 0;
}

/* When the next listing is due: first when workers have had time to name their sandboxes, then at intervals. */
static int64_t due_us(void)
{
	int64_t adopted_us = started_us + ADOPTION_US;

	int64_t next_us = latest_us < adopted_us ? adopted_us : latest_us + conf->pool_reconcile_interval_ms * 1000;

	return hurry_us != 0 ? MIN(hurry_us, next_us) : next_us;
}

/* Logs one line about all differences, after they were repaired. */
static void report(void)
{
	AUTO(buf_free) struct buf text = {0};

	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		if (counters[i] == reported[i] || strcmp(counter_rows[i].family, "drift") != 0)
			continue;
		buf_printf(&text, "%s%s: %" PRIu64, text.len > 0 ? ", " : "", counter_rows[i].text, counters[i] - reported[i]);
		reported[i] = counters[i];
	}
	if (text.len > 0)
		log_warn("reconciled: removed %s", buf_str(&text));
}

void reconcile_tick(int64_t now_us)
{
	if (listed_us == 0 && stray_count() == 0)
		report();
	if (now_us >= due_us())
		reconcile_now();
}

void reconcile_set_conf(const struct conf *c)
{
	conf = c;
}

void reconcile_init(const struct conf *c, struct docker *d)
{
	conf = c;
	docker = d;
	started_us = clock_mono_us();
}
