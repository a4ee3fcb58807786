#include "master/team.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/children/child.h"
#include "master/master.h"

static void give_fds(const struct master *m, enum child_role role, int numbers[INHERITED_FD_LAST + 1])
{
	enum listen_kind listens = roles[role].listens;

	descriptor_give(m->fds, role, numbers);
	numbers[INHERITED_CONF_FD] = roles[role].stores ? m->settings->read_fd : m->settings->bare_fd;
	for (int i = 0; listens != LISTEN_NONE && i < m->listeners[listens].count; i++)
		numbers[INHERITED_LISTEN_FD + i] = m->listeners[listens].fds[i];
}

static int start_child(struct master *m, enum child_role role, struct err *err)
{
	int slot = crew_free_slot(m->crew);

	if (slot < 0)
		return err_set(err, 0, "all %d places are taken", CREW_SLOTS);
	struct child_plan plan = {
		.role = role,
		.slot = slot,
		.program_fd = m->program_fds[role],
		.fds = {[0 ... INHERITED_FD_LAST] = -1},
		.identity = &m->identity,
	};
	give_fds(m, role, plan.fds);
	pid_t pid = child_spawn(&plan, err);
	if (pid < 0)
		return -1;
	crew_add(m->crew, slot, role, m->teams[role].generation, pid);
	log_debug("%s/%d (pid %d) starts", child_role_name(role), slot, (int)pid);
	return 0;
}

static void start_missing(struct master *m, enum child_role role, int count, int64_t now_us)
{
	struct throttle *throttle = &m->teams[role].throttle;
	struct err err;

	if (!throttle_allows(throttle, now_us))
		return;
	for (int i = 0; i < count; i++) {
		if (start_child(m, role, &err) == 0)
			continue;
		/* The machine probably lacks a resource. This counts as a process that started and failed. */
		log_error("%s cannot be started: %s", child_role_name(role), err.msg);
		throttle_on_exit(throttle, false, now_us, clock_mono_us(), m->settings->conf->master_restart_delay_ms * 1000);
		return;
	}
}

bool team_is_wanted(const struct master *m, enum child_role role)
{
	if (m->stage >= 0 && m->standing != IN_CHARGE)
		return false;
	for (int i = 0; i <= m->stage && i < ROLE_STAGE_COUNT; i++)
		if (m->stages[i].has[role])
			return false;
	return true;
}

bool team_adjust(struct master *m, enum child_role role, int64_t now_us)
{
	struct team *team = &m->teams[role];
	struct sizing_limits limits = role_limits(role, m->settings->conf);
	struct sizing_count count = crew_count(m->crew, role, team->generation);

	start_missing(m, role, sizing_missing(&limits, &count), now_us);
	if (sizing_shrink(&limits, &count, now_us, &team->shrunk_at_us))
		crew_stop_idle(m->crew, role);
	return sizing_is_up(&limits, &count);
}
