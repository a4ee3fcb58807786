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

enum slot_state {
	SLOT_FREE,     /* no process */
	SLOT_STARTING, /* forked, not yet ready for work */
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_STOPPING, /* finishes what it holds and exits */
};

struct slot {
	_Atomic uint32_t state; /* enum slot_state */
	_Atomic int32_t pid;    /* 0 when free */
	_Atomic uint64_t requests;
	_Atomic uint64_t dropped_records; /* spool records that could not be written */
	_Atomic uint32_t has_turn;        /* invoke: accepts requests (worker/turn.h) */
	_Atomic uint32_t waits_in;        /* invoke: 1 + the lane whose request waits for a sandbox (worker/lanes.h); 0: none */
};

struct scoreboard;

/* Master: makes a scoreboard of count slots, all free, on a new memfd, returned in *fd (owned by the caller). */
int scoreboard_create(int count, struct scoreboard **board, int *fd, struct err *err);

/* Child: maps the one inherited. */
int scoreboard_attach(int fd, struct scoreboard **board, struct err *err);

/* Destructor for AUTO: unmaps it; accepts NULL. The memory itself lives as long as somebody has it. */
void scoreboard_close(struct scoreboard **board);

int scoreboard_count(const struct scoreboard *board);
struct slot *scoreboard_slot(struct scoreboard *board, int index); /* asserts that index is in range */

/* Every slot from here on is free. Written by the master. */
int scoreboard_used(const struct scoreboard *board);
void scoreboard_set_used(struct scoreboard *board, int used);

/* What the spool files hold together: written by the collector, read by workers, which drop records beyond the quota. */
_Atomic uint64_t *scoreboard_spool_bytes(struct scoreboard *board);

#endif
