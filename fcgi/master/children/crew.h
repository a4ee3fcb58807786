/*
 * The table of children: one row per scoreboard slot. Only this table tells the master which process is which. The children
 * write to the scoreboard; the worst that a bad child can do with it is to look idle or busy, or to make another process look
 * stuck.
 */
#ifndef MASTER_CHILDREN_CREW_H
#define MASTER_CHILDREN_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/inherited.h"
#include "ipc/scoreboard.h"
#include "master/children/sizing.h"

/* Twice the largest pools that conf.def allows, because old and new ones overlap during a reload, and the single processes. */
#define CREW_SLOTS (2 * (4096 + 3 * 256 + 2) + 4)

struct crew_member {
	pid_t pid; /* 0: the slot is free */
	enum child_role role;
	unsigned generation; /* a reload begins a new one */
	int64_t started_us;
	int64_t kill_at_us; /* INT64_MAX: never */
	bool stopping;      /* it was told to finish */
	int64_t beat_us;    /* the latest heartbeat that was seen */
	int missed;         /* number of looks since then without a new heartbeat */
	int64_t stuck_us;   /* it was killed because it had no heartbeat for that time; 0: it was not */
};

struct crew {
	struct scoreboard *board; /* borrowed */
	int64_t look_us;          /* when to look for stuck processes next */
	int used;                 /* every slot from here on is free */
	struct crew_member members[CREW_SLOTS];
};

/* How a child ended, for the log and the throttle. */
struct crew_death {
	pid_t pid;
	char how[96]; /* "exited with status 1" */
	enum child_role
		role; /* CHILD_ROLE_COUNT: not in the table, but a child inherited from another process; nothing below is set */
	int64_t started_us;
	bool asked;   /* it was told to stop */
	bool success; /* exit status 0 */
};

/* A free slot, cleared and marked SLOT_STARTING; -1 when there is none. It stays free until crew_add. */
int crew_free_slot(struct crew *crew);
void crew_add(struct crew *crew, int slot, enum child_role role, unsigned generation, pid_t pid);

/* Counts the processes of one role and generation that were not told to stop. */
struct sizing_count crew_count(struct crew *crew, enum child_role role, unsigned generation);

/* Whether there are processes of that role, stopping or not. */
bool crew_has(const struct crew *crew, enum child_role role);

/* Sends SIGTERM now, and SIGKILL at kill_at_us. For a process that is stopping already, only the time may become earlier. */
void crew_stop(struct crew *crew, int slot, int64_t kill_at_us);

/* Stops one idle process of that role; that with the lowest slot number is stopped last. */
void crew_stop_idle(struct crew *crew, enum child_role role);

/* Stops the processes of a role that are older than generation. */
void crew_stop_older(struct crew *crew, enum child_role role, unsigned generation, int64_t kill_at_us);

void crew_signal(struct crew *crew, enum child_role role, int signal);

/* Ends the time of all processes that are stopping. */
void crew_hurry(struct crew *crew);

/* Sends SIGKILL to processes that have exceeded their time. */
void crew_kill_late(struct crew *crew, int64_t now_us);

/*
 * Sends SIGKILL to processes that should have a heartbeat (role.h) and had none for that time; 0: to none. The time is counted
 * in looks, of which there is one every CREW_LOOK_US, so that no process is killed because the machine slept or because the
 * master itself got no processor time.
 */
#define CREW_LOOK_US 500000
void crew_kill_stuck(struct crew *crew, int64_t now_us, int64_t stuck_after_us);

/* Collects one dead child; if it is in the table, logs its end and frees its slot. False: no child has died. */
bool crew_reap(struct crew *crew, struct crew_death *death);

#endif
