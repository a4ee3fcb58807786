/* What the master knows about each kind of child: one row per role. */
#ifndef MASTER_CHILDREN_ROLE_H
#define MASTER_CHILDREN_ROLE_H

#include <stdbool.h>

#include "conf/conf.h"
#include "ipc/heritage.h"
#include "master/children/sizing.h"
#include "master/resources/identity.h"
#include "master/resources/listen.h"

enum role_reload {
	RELOAD_REPLACE, /* new processes first, then the old ones are stopped */
	RELOAD_SIGNAL,  /* what it holds is worth keeping: it reads the new configuration itself */
	RELOAD_NOTHING, /* it has no settings */
};

struct role {
	const char *program;      /* beside berthd; NULL: berthd itself */
	enum listen_kind listens; /* LISTEN_NONE: on no socket */
	enum privilege privilege;
	bool stores; /* is told how to connect to PostgreSQL */
	enum role_reload at_reload;
	int niceness; /* nice(2), from the master's on: who answers at once, and uses little, goes first on a busy node */
	bool batch;   /* SCHED_BATCH: when one wakes up, it does not take the processor from who is at work */
	int pulse; /* it has one (ipc/pulse.h), and is stuck after so many times master.stuck_after_ms without; 0: it has none
		    */
	int oom_score_adj; /* what the kernel should spare when memory runs out: the smaller, the longer */
};

extern const struct role roles[CHILD_ROLE_COUNT];

struct sizing_limits role_limits(enum child_role role, const struct conf *conf);

/* The order in which a stop goes: a stage begins when nobody of the one before is left. */
struct role_stage {
	const char *name;
	bool has[CHILD_ROLE_COUNT];
};

#define ROLE_STAGE_COUNT 3
extern const struct role_stage role_stop[ROLE_STAGE_COUNT];
extern const struct role_stage role_handover[ROLE_STAGE_COUNT]; /* after an heir has taken over */

#endif
