/* What the master's files share: the state of the one there is. Who changes what of it stands in the headers that are named
 * here. */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "master/children/crew.h"
#include "master/children/role.h"
#include "master/children/throttle.h"
#include "master/heir.h"
#include "master/resources/bequest.h"
#include "master/resources/descriptor.h"
#include "master/resources/identity.h"
#include "master/resources/listen.h"
#include "master/resources/settings.h"

struct master_start {
	const char *program;   /* as it was called: what an upgrade executes */
	const char *inherited; /* what the berthd before hands over (bequest.h); NULL: there is none */
};

/*
 * Whose is what is in the run directory: while an upgrade is under way there are two who work there (heir.h), and one who is in
 * charge. Steps lead from HEIR to IN_CHARGE and from there to RETIRED (standing.h).
 */
enum standing {
	HEIR,      /* the berthd's before, until this one takes over */
	IN_CHARGE, /* ours */
	RETIRED,   /* the heir's that has taken over */
};

/* The children of one role (team.h). */
enum replacement {
	REPLACE_NO,
	REPLACE_WANTED, /* waits for its turn: one pool after the other */
	REPLACE_RUNS,   /* the generation before still works, until this one is up */
};

struct team {
	struct throttle throttle;
	unsigned generation;
	enum replacement replacement;
	int64_t shrunk_at_us;
};

struct master {
	const struct master_start *start;
	struct settings *settings;
	struct identity identity;
	struct scoreboard *board;
	struct crew *crew;
	struct team teams[CHILD_ROLE_COUNT];
	int program_fds[CHILD_ROLE_COUNT]; /* what each role executes */
	int fds[DESCRIPTOR_COUNT];
	struct listeners listeners[LISTEN_KINDS];
	struct bequest inherited; /* what is left of it */
	struct heir heir;
	enum standing standing;
	bool patient;                    /* stopping: requests in flight have all their time */
	bool ready;                      /* said so to the service manager */
	int stage;                       /* of the stop; -1 while running, ROLE_STAGE_COUNT when done */
	const struct role_stage *stages; /* in which order */
	int64_t next_tick_us;
};

#endif
