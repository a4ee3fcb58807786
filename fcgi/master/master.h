/*
 * The state of the master, which all of its files share. The headers that are named here say which file changes which part.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "master/children/crew.h"
#include "master/children/role.h"
#include "master/children/throttle.h"
#include "master/resources/descriptor.h"
#include "master/resources/handover.h"
#include "master/resources/identity.h"
#include "master/resources/listen.h"
#include "master/resources/settings.h"
#include "master/successor.h"

struct master_start {
	const char *program;   /* the path it was called with, which an upgrade executes */
	const char *inherited; /* what the previous berthd hands over (handover.h); NULL: there is none */
};

/*
 * Which berthd owns the run directory: during an upgrade two of them work there (successor.h), and one is in charge. A berthd
 * goes from SUCCESSOR to IN_CHARGE and from there to RETIRED (standing.h).
 */
enum standing {
	SUCCESSOR, /* the previous berthd owns it, until this one takes over */
	IN_CHARGE, /* this berthd owns it */
	RETIRED,   /* the successor owns it, since it has taken over */
};

/* The children of one role (team.h). */
enum replacement {
	REPLACE_NO,
	REPLACE_WANTED, /* waits for its turn, because pools are replaced one after the other */
	REPLACE_RUNS,   /* the previous generation still works, until the new one is up */
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
	int program_fds[CHILD_ROLE_COUNT]; /* the program that each role executes */
	int fds[DESCRIPTOR_COUNT];
	struct listeners listeners[LISTEN_KINDS];
	struct handover inherited; /* the descriptors that have not been taken from it yet */
	struct successor successor;
	enum standing standing;
	bool patient;                    /* stopping: requests in flight get all the time they need */
	bool ready;                      /* whether the service manager has been told so */
	int stage;                       /* stage of the stop; -1 while running, ROLE_STAGE_COUNT when done */
	const struct role_stage *stages; /* the order of the stop */
	int64_t next_tick_us;
};

#endif
