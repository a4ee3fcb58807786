#include "master/stop.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/master.h"
#include "master/resources/notify.h"
#include "master/standing.h"

int64_t stop_deadline_us(const struct master *m)
{
	return clock_mono_us() + m->settings->conf->master_stop_timeout_ms * 1000;
}

static void begin_stage(struct master *m)
{
	const struct role_stage *stage = &m->stages[m->stage];
	int64_t deadline_us = m->patient && m->stage == 0 ? INT64_MAX : stop_deadline_us(m);

	log_debug("stopping: %s", stage->name);
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		if (!stage->has[role])
			continue;
		/* The signal comes first, so that a process that wakes up because its socket is shut knows why. */
		crew_stop_older(m->crew, role, m->teams[role].generation + 1, deadline_us);
		if (roles[role].listens != LISTEN_NONE)
			listen_refuse(m->fds[FD_RUN_DIR], roles[role].listens, &m->listeners[roles[role].listens]);
	}
}

void stop_begin(struct master *m, const struct role_stage stages[ROLE_STAGE_COUNT])
{
	m->stages = stages;
	m->stage = 0;
	begin_stage(m);
}

/* The workers of the previous berthd belong to the first stage too, because this collector stores what they still write. */
static bool stage_is_over(const struct master *m)
{
	if (m->stage == 0 && m->fds[FD_PREDECESSOR] >= 0)
		return false;
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		if (m->stages[m->stage].has[role] && crew_has(m->crew, role))
			return false;
	return true;
}

void stop_advance(struct master *m)
{
	while (m->stage >= 0 && m->stage < ROLE_STAGE_COUNT && stage_is_over(m))
		if (++m->stage < ROLE_STAGE_COUNT)
			begin_stage(m);
}

/* Stops the other berthds: the previous one ends sooner, and a starting successor ends. */
static void stop_others(struct master *m)
{
	if (m->standing != SUCCESSOR)
		successor_send(m->fds[FD_PREDECESSOR], SUCCESSOR_HURRY);
	if (m->successor.pid != 0)
		successor_end(&m->successor, stop_deadline_us(m));
}

void stop_order(struct master *m, const char *why)
{
	struct err err;

	stop_others(m);
	if (m->stage < 0) {
		log_info("%s: stopping", why);
		if (m->standing == SUCCESSOR)
			standing_step_back(m);
		else if (notify_send("STOPPING=1", &err) < 0)
			log_warn("%s", err.msg);
		stop_begin(m, role_stop);
	} else if (m->patient) {
		log_info("%s: requests in flight have less time", why);
		m->patient = false;
		if (m->stage < ROLE_STAGE_COUNT)
			begin_stage(m);
	} else {
		log_warn("%s again: not waiting any longer", why);
		crew_hurry(m->crew);
	}
}
