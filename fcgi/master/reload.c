#include "master/reload.h"

#include <signal.h>

#include "base/buf.h"
#include "base/log.h"
#include "master/master.h"
#include "master/stop.h"

void reload_run(struct master *m)
{
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	if (m->stage >= 0)
		return;
	if (settings_reload(m->settings, &ignored, &err) < 0) {
		log_error("reload refused, the old configuration stays: %s", err.msg);
		return;
	}
	if (ignored.len > 0)
		log_warn("reload: only a restart changes %s", buf_str(&ignored));
	log_init("master", (enum log_level)log_level_parse(m->settings->conf->log_level));
	log_info("reload: configuration read from '%s'", m->settings->path);
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		if (roles[role].at_reload == RELOAD_SIGNAL) {
			crew_signal(m->crew, role, SIGHUP);
			continue;
		}
		if (roles[role].at_reload == RELOAD_REPLACE)
			m->teams[role].replacement = REPLACE_WANTED;
	}
}

bool reload_replace(struct master *m, enum child_role role, bool up, bool others_run)
{
	struct team *team = &m->teams[role];

	if (team->replacement == REPLACE_RUNS && up) {
		crew_stop_older(m->crew, role, team->generation, stop_deadline_us(m));
		team->replacement = REPLACE_NO;
		log_info("reload: new %s workers have taken over", child_role_name(role));
	}
	if (team->replacement == REPLACE_WANTED && !others_run) {
		team->generation++;
		team->replacement = REPLACE_RUNS;
	}
	return team->replacement == REPLACE_RUNS;
}
