/*
 * The scoreboard: one slot per child in memory shared by the master and its children. A child writes only its own slot, the
 * master reads all and clears a slot before it gives it to a new child. No locks: every field is one atomic word, and a stale
 * value only delays a decision of the master by one tick.
 */
#ifndef IPC_SCOREBOARD_H
#define IPC_SCOREBOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "ipc/counter.h"
#include "ipc/heritage.h"
#include "ipc/tally.h"

enum slot_state {
	SLOT_FREE,     /* no process */
	SLOT_STARTING, /* forked, not yet ready for work */
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_STOPPING, /* finishes what it holds and exits */
	SLOT_STATE_COUNT
};

/* "free", "starting", "idle", "busy", "stopping". */
const char *slot_state_name(enum slot_state state);

struct slot {
	_Atomic uint32_t state;  /* enum slot_state */
	_Atomic uint32_t role;   /* enum child_role; written by the master, before pid */
	_Atomic int32_t pid;     /* 0 when free */
	_Atomic int64_t beat_us; /* CLOCK_MONOTONIC: when it last showed that it is alive; 0: it does not (pulse.h) */
	_Atomic uint64_t requests;
	_Atomic uint64_t dropped_records; /* spool records that could not be written */
	_Atomic uint32_t has_turn;        /* invoke: accepts requests (worker/turn.h) */
	_Atomic uint32_t waits_in; /* 1 + the lane whose request waits for a sandbox (invoke), or is in hand (deploy and query;
				      worker/lanes.h); 0: none */
};

/* How long it has shown no sign of life, when that is too long for one that is well; else 0. */
#define SLOT_SILENT_US 2000000
int64_t slot_silent_us(const struct slot *slot);

struct scoreboard;

/* Master: makes a scoreboard of count slots, all free, on a new memfd, returned in *fd (owned by the caller). */
int scoreboard_create(int count, struct scoreboard **board, int *fd, struct err *err);

/* Child: maps the one inherited. */
int scoreboard_attach(int fd, struct scoreboard **board, struct err *err);

/* Destructor for AUTO: unmaps it; accepts NULL. The memory itself lives as long as somebody has it. */
void scoreboard_close(struct scoreboard **board);

/* When it was made: the master's start. CLOCK_MONOTONIC. */
int64_t scoreboard_started_us(const struct scoreboard *board);

int scoreboard_count(const struct scoreboard *board);
struct slot *scoreboard_slot(struct scoreboard *board, int index); /* asserts that index is in range */

/* Every slot from here on is free. Written by the master. */
int scoreboard_used(const struct scoreboard *board);
void scoreboard_set_used(struct scoreboard *board, int used);

/* Master: the child is gone. The slot is free, and what it counted stays counted. */
void scoreboard_retire(struct scoreboard *board, int index);

/* Master: a process of that role ended that should not have. */
void scoreboard_count_failure(struct scoreboard *board, enum child_role role);

/* All processes of one role: how many there are in each state, and what they and those before them have counted. */
struct scoreboard_sum {
	int states[SLOT_STATE_COUNT]; /* those that are silent, too */
	int silent;
	int64_t silent_us; /* for how long, the one that is so the longest */
	uint64_t requests, dropped_records;
	uint64_t failures; /* of those that are gone */
};
struct scoreboard_sum scoreboard_sum(struct scoreboard *board, enum child_role role);

/*
 * What the children of a slot count, one after the other: retiring leaves it as it is, so the sum of all never goes back.
 */
struct tally *scoreboard_tally(struct scoreboard *board, int index);
void scoreboard_tally_sum(struct scoreboard *board, struct tally *sum);

/* What poolmgr has counted since it started (counter.def): written by it alone. */
_Atomic uint64_t *scoreboard_counter(struct scoreboard *board, enum counter counter);

/* Whether the collector's latest attempt to store records succeeded: written by it alone. */
_Atomic uint32_t *scoreboard_stores(struct scoreboard *board);

/* Until when nginx's certificate is valid, in seconds since 1970; 0: not known. Written by the collector alone. */
_Atomic int64_t *scoreboard_certificate_ends_s(struct scoreboard *board);

/* What poolmgr says of the pool (gauge.def): written by it alone. */
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
/* runtime: its place in tally_runtimes. */
_Atomic uint64_t *scoreboard_runtime_gauge(struct scoreboard *board, int runtime, enum runtime_gauge gauge);

/* What the spool files hold together: written by the collector, read by workers, which drop records beyond the quota. */
_Atomic uint64_t *scoreboard_spool_bytes(struct scoreboard *board);

#endif
