/*
 * The children there are: one row per scoreboard slot. The master believes only this table about who is who. The scoreboard is
 * written by the children; the worst a bad child can do with it is to look idle or busy,
 * or to make somebody look stuck.
 */
#ifndef MASTER_CHILDREN_CREW_H
#define MASTER_CHILDREN_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/heritage.h"
#include "ipc/scoreboard.h"
#include "master/children/sizing.h"

/* The largest pools conf.def allows, twice, because a reload overlaps old and new, and the single processes. */
#define CREW_SLOTS (2 * (4096 + 3 * 256 + 2) + 4)

struct crew_member {
	pid_t pid; /* 0: the slot is free */
	enum child_role role;
	unsigned generation; /* a reload begins a new one */
	int64_t started_us;
	int64_t kill_at_us; /* INT64_MAX: never */
	bool stopping;      /* was told to finish */
	int64_t beat_us;    /* its latest beat that was seen */
	int missed;         /* looks since then that found no other */
	int64_t stuck_us;   /* killed, for it had not moved for that time; 0: it was not */
};

struct crew {
	struct scoreboard *board; /* borrowed */
	int64_t look_us;          /* when to look for who is stuck next */
	int used;                 /* every slot from here on is free */
	struct crew_member members[CREW_SLOTS];
};

/* How a child ended, for the obituary and the throttle. */
struct crew_death {
	pid_t pid;
	char how[96];         /* "exited with status 1" */
	enum child_role role; /* CHILD_ROLE_COUNT: it is not in the table, somebody else left it to us; nothing below is set */
	int64_t started_us;
	bool asked;   /* it was stopping */
	bool success; /* exit status 0 */
};

/* A free slot, cleared and marked SLOT_STARTING; -1 when there is none. It stays free until crew_add. */
int crew_free_slot(struct crew *crew);
void crew_add(struct crew *crew, int slot, enum child_role role, unsigned generation, pid_t pid);

/* Of one role and generation, those that were not told to stop. */
struct sizing_count crew_count(struct crew *crew, enum child_role role, unsigned generation);

/* Any of that role, stopping or not? */
bool crew_has(const struct crew *crew, enum child_role role);

/* SIGTERM, and SIGKILL at kill_at_us. Nothing when it is stopping already, except that the time is moved forward. */
void crew_stop(struct crew *crew, int slot, int64_t kill_at_us);

/* Stops one idle process of that role; the youngest slot number goes last. */
void crew_stop_idle(struct crew *crew, enum child_role role);

/* Stops those of a role that are older than generation. */
void crew_stop_older(struct crew *crew, enum child_role role, unsigned generation, int64_t kill_at_us);

void crew_signal(struct crew *crew, enum child_role role, int signal);

/* The time of everybody who is stopping is over. */
void crew_hurry(struct crew *crew);

/* SIGKILL to those over their time. */
void crew_kill_late(struct crew *crew, int64_t now_us);

/*
 * SIGKILL to those that have a pulse (role.h) and have shown no sign of life for that time; 0: to nobody. The time is counted
 * in looks, of which there is one every CREW_LOOK_US: of a machine that slept, or had no time for the master either, no process
 * is to blame.
 */
#define CREW_LOOK_US 500000
void crew_kill_stuck(struct crew *crew, int64_t now_us, int64_t stuck_after_us);

/* Collects one dead child, writes the obituary of one in the table and frees its slot; false when nobody died. */
bool crew_reap(struct crew *crew, struct crew_death *death);

#endif
