/*
 * The scoreboard: one slot per child in memory shared by the master and its children. A child writes only to its own slot. The
 * master reads all slots, and clears a slot before it gives it to a new child. There are no locks: every field is one atomic
 * word, and a stale value only delays a decision of the master by one tick.
 */
#ifndef IPC_SCOREBOARD_H
#define IPC_SCOREBOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "ipc/counter.h"
#include "ipc/inherited.h"
#include "ipc/tally.h"

enum slot_state {
	SLOT_FREE,     /* no process */
	SLOT_STARTING, /* forked, not yet ready for work */
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_STOPPING, /* finishes its current work and exits */
	SLOT_STATE_COUNT
};

/* "free", "starting", "idle", "busy", "stopping". */
const char *slot_state_name(enum slot_state state);

struct slot {
	_Atomic uint32_t state;  /* enum slot_state */
	_Atomic uint32_t role;   /* enum child_role; written by the master, before pid */
	_Atomic int32_t pid;     /* 0 when free */
	_Atomic int64_t beat_us; /* CLOCK_MONOTONIC time of the latest heartbeat; 0: it has none (heartbeat.h) */
	_Atomic uint64_t requests;
	_Atomic uint64_t dropped_records; /* spool records that could not be written */
	_Atomic uint32_t has_turn;        /* invoke: accepts requests (worker/turn.h) */
	_Atomic uint32_t waits_in; /* 1 + the lane whose request waits for a sandbox (invoke) or is being served (deploy and
				      query; worker/lanes.h); 0: none */
};

/* The time since its latest heartbeat when that is too long for a healthy process; otherwise 0. */
#define SLOT_SILENT_US 2000000
int64_t slot_silent_us(const struct slot *slot);

struct scoreboard;

/* Master: creates a scoreboard of count free slots on a new memfd, which is returned in *fd and owned by the caller. */
int scoreboard_create(int count, struct scoreboard **board, int *fd, struct err *err);

/* Child: maps the inherited scoreboard. */
int scoreboard_attach(int fd, struct scoreboard **board, struct err *err);

/* Destructor for AUTO: unmaps it; accepts NULL. The memory exists as long as any process has it. */
void scoreboard_close(struct scoreboard **board);

/* CLOCK_MONOTONIC time of its creation, which is the master's start. */
int64_t scoreboard_started_us(const struct scoreboard *board);

int scoreboard_count(const struct scoreboard *board);
struct slot *scoreboard_slot(struct scoreboard *board, int index); /* asserts that index is in range */

/* All slots from this index on are free. Written by the master. */
int scoreboard_used(const struct scoreboard *board);
void scoreboard_set_used(struct scoreboard *board, int used);

/* Master: the child has ended. Frees the slot; the child's counts stay in the sums. */
void scoreboard_retire(struct scoreboard *board, int index);

/* Master: counts a process of that role that ended unexpectedly. */
void scoreboard_count_failure(struct scoreboard *board, enum child_role role);

/* All processes of one role: their number in each state, and the counts of these and of earlier processes. */
struct scoreboard_sum {
	int states[SLOT_STATE_COUNT]; /* including those without a recent heartbeat */
	int silent;
	int64_t silent_us; /* the longest time without a heartbeat */
	uint64_t requests, dropped_records;
	uint64_t failures; /* of those that are gone */
};
struct scoreboard_sum scoreboard_sum(struct scoreboard *board, enum child_role role);

/*
 * The counts of all children that have had this slot. Retiring a slot does not change them, so the sum over all slots never
 * decreases.
 */
struct tally *scoreboard_tally(struct scoreboard *board, int index);
void scoreboard_tally_sum(struct scoreboard *board, struct tally *sum);

/* The counters of poolmgr since it started (counter.def). Written only by poolmgr. */
_Atomic uint64_t *scoreboard_counter(struct scoreboard *board, enum counter counter);

/* Whether the collector's latest attempt to store records succeeded. Written only by the collector. */
_Atomic uint32_t *scoreboard_stores(struct scoreboard *board);

/* The time at which nginx's certificate expires, in seconds since 1970; 0: not known. Written only by the collector. */
_Atomic int64_t *scoreboard_certificate_ends_s(struct scoreboard *board);

/* The numbers of the pool (gauge.def). Written only by poolmgr. */
enum gauge {
#define GAUGE(name, value) GAUGE_##name,
#define RUNTIME_GAUGE(name, value)
#include "ipc/gauge.def"
#undef GAUGE
#undef RUNTIME_GAUGE
	GAUGE_COUNT
};
_Atomic uint64_t *scoreboard_gauge(struct scoreboard *board, enum gauge gauge);

enum runtime_gauge {
#define GAUGE(name, value)
#define RUNTIME_GAUGE(name, value) RUNTIME_GAUGE_##name,
#include "ipc/gauge.def"
#undef GAUGE
#undef RUNTIME_GAUGE
	RUNTIME_GAUGE_COUNT
};
/* runtime: its index in tally_runtimes. */
_Atomic uint64_t *scoreboard_runtime_gauge(struct scoreboard *board, int runtime, enum runtime_gauge gauge);

/* The total size of the spool files. Written by the collector; workers read it and drop records beyond the quota. */
_Atomic uint64_t *scoreboard_spool_bytes(struct scoreboard *board);

#endif
