/* What the master knows about each kind of child: one row per role. */
#ifndef MASTER_CHILDREN_ROLE_H
#define MASTER_CHILDREN_ROLE_H

#include <stdbool.h>

#include "conf/conf.h"
#include "ipc/inherited.h"
#include "master/children/sizing.h"
#include "master/resources/identity.h"
#include "master/resources/listen.h"

enum role_reload {
	RELOAD_REPLACE, /* starts new processes first, then stops the old ones */
	RELOAD_SIGNAL,  /* it reads the new configuration itself, because its state is worth keeping */
	RELOAD_NOTHING, /* it has no settings */
};

struct role {
	const char *program;      /* the program in berthd's directory; NULL: berthd itself */
	enum listen_kind listens; /* LISTEN_NONE: no socket */
	enum privilege privilege;
	bool stores; /* it gets the connection string of PostgreSQL */
	enum role_reload at_reload;
	int niceness;  /* nice(2), relative to the master: processes that answer at once and use little have priority on a busy
			  node */
	bool batch;    /* SCHED_BATCH: when it wakes up, it does not preempt another process */
	int heartbeat; /* it is stuck after so many times master.stuck_after_ms without one (ipc/heartbeat.h); 0: it has none */
	int oom_score_adj; /* the kernel spares processes with smaller values longer when memory runs out */
};

extern const struct role roles[CHILD_ROLE_COUNT];

struct sizing_limits role_limits(enum child_role role, const struct conf *conf);

/* The order of a stop: a stage begins when no process of the previous one is left. */
struct role_stage {
	const char *name;
	bool has[CHILD_ROLE_COUNT];
};

#define ROLE_STAGE_COUNT 3
extern const struct role_stage role_stop[ROLE_STAGE_COUNT];
extern const struct role_stage role_handover[ROLE_STAGE_COUNT]; /* after a successor has taken over */

#endif
