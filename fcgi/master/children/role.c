#include "master/children/role.h"

/* Some processes wait for a disk or for a name server without a deadline of their own. */
#define WAITS 6

const struct role roles[CHILD_ROLE_COUNT] = {
	[CHILD_INVOKE] = {.program = "berthd-invoke", .listens = LISTEN_INVOKE, .at_reload = RELOAD_REPLACE, .batch = true},
	[CHILD_DEPLOY] = {.listens = LISTEN_DEPLOY, .stores = true, .at_reload = RELOAD_REPLACE, .batch = true},
	[CHILD_QUERY] = {.listens = LISTEN_QUERY, .stores = true, .at_reload = RELOAD_REPLACE, .batch = true},
	[CHILD_HEALTH] = {.listens = LISTEN_HEALTH, .stores = true, .at_reload = RELOAD_REPLACE, .niceness = -10},
	[CHILD_CONTROL] = {.listens = LISTEN_CONTROL, .stores = true, .at_reload = RELOAD_REPLACE, .niceness = -10},
	[CHILD_FOLLOW] = {.listens = LISTEN_FOLLOW, .stores = true, .at_reload = RELOAD_REPLACE, .heartbeat = WAITS},
	[CHILD_POOLMGR] = {.listens = LISTEN_POOLMGR,
			   .privilege = PRIVILEGE_DOCKER,
			   .stores = true,
			   .at_reload = RELOAD_SIGNAL,
			   .niceness = -10,
			   .heartbeat = 1,
			   .oom_score_adj = -500},
	[CHILD_COLLECTOR] = {.listens = LISTEN_NONE,
			     .privilege = PRIVILEGE_SPOOL,
			     .stores = true,
			     .at_reload = RELOAD_SIGNAL,
			     .batch = true,
			     .heartbeat = WAITS},
	[CHILD_WARDEN] = {.listens = LISTEN_NONE, .privilege = PRIVILEGE_CGROUPS, .at_reload = RELOAD_NOTHING, .heartbeat = 1},
};

#define WORKERS                                                                                                                \
	[CHILD_INVOKE] = true, [CHILD_DEPLOY] = true, [CHILD_QUERY] = true, [CHILD_HEALTH] = true, [CHILD_CONTROL] = true,     \
	[CHILD_FOLLOW] = true

/* Workers hold sandboxes and write records, so poolmgr and the collector end after them; poolmgr uses the warden, which ends
 * after it. */
const struct role_stage role_stop[ROLE_STAGE_COUNT] = {
	{"workers", {WORKERS}},
	{"poolmgr", {[CHILD_POOLMGR] = true}},
	{"collector and warden", {[CHILD_COLLECTOR] = true, [CHILD_WARDEN] = true}},
};

/* The successor's collector waits for this one to end, and stores what these workers still write. */
const struct role_stage role_handover[ROLE_STAGE_COUNT] = {
	{"workers and collector", {WORKERS, [CHILD_COLLECTOR] = true}},
	{"poolmgr", {[CHILD_POOLMGR] = true}},
	{"warden", {[CHILD_WARDEN] = true}},
};

struct sizing_limits role_limits(enum child_role role, const struct conf *conf)
{
	switch (role) {
	case CHILD_INVOKE:
		return (struct sizing_limits){(int)conf->invoke_min_spare, (int)conf->invoke_max_workers};
	case CHILD_DEPLOY: /* only during a burst: a worker mostly waits for a trial, which costs only a process */
		return (struct sizing_limits){1, (int)conf->deploy_max_workers};
	case CHILD_QUERY:
		return (struct sizing_limits){(int)conf->query_workers, (int)conf->query_workers};
	case CHILD_HEALTH: /* one worker for each lane */
		return (struct sizing_limits){INHERITED_HEALTH_LANES, INHERITED_HEALTH_LANES};
	case CHILD_CONTROL:
		return (struct sizing_limits){(int)conf->control_workers, (int)conf->control_workers};
	default:
		return (struct sizing_limits){1, 1};
	}
}
