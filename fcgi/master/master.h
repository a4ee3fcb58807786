/* What the master's files share: the state of the one there is. */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "master/bequest.h"
#include "master/crew.h"
#include "master/descriptor.h"
#include "master/heir.h"
#include "master/identity.h"
#include "master/listen.h"
#include "master/master_main.h"
#include "master/role.h"
#include "master/settings.h"
#include "master/standing.h"
#include "master/team.h"

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
