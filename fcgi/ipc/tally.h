/*
 * What invoke workers count, each in its slot's memory on the scoreboard: all since berthd started, for GET /metrics. One
 * process writes, others read; every number is one word, and counting is two instructions.
 */
#ifndef IPC_TALLY_H
#define IPC_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "ipc/start_kind.h"

/* Those of runtimes/driver.c, in the same order; the last one stands for none, and for any other. */
#define TALLY_RUNTIME_NAMES                                                                                                    \
	{                                                                                                                      \
		"docker", "gvisor", "none"                                                                                     \
	}
enum { TALLY_RUNTIMES = 3 };
extern const char *const tally_runtimes[TALLY_RUNTIMES];

/* Errors by their number in ipc/problem.def. */
enum { TALLY_ERRORS = 48 };

/* Times by bucket: up to TALLY_FIRST_US, and then twice as much each; the last one, too, holds what is longer. */
#define TALLY_FIRST_US 500
enum { TALLY_BUCKETS = 23 };

enum tally_time { TALLY_RESPONSE, TALLY_QUEUE, TALLY_INIT, TALLY_EXEC, TALLY_TIMES };

struct tally_histogram {
	_Atomic uint64_t buckets[TALLY_BUCKETS];
	_Atomic uint64_t sum_us;
};

struct tally {
	_Atomic uint64_t invocations[TALLY_RUNTIMES][IPC_START_COUNT];
	_Atomic uint64_t errors[TALLY_RUNTIMES][TALLY_ERRORS];
	_Atomic uint64_t request_bytes, response_bytes;
	_Atomic uint64_t cpu_us[TALLY_RUNTIMES], background_us[TALLY_RUNTIMES];
	struct tally_histogram times[TALLY_RUNTIMES][TALLY_TIMES];
};

struct tally_invocation {
	const char *runtime; /* "" for none */
	enum ipc_start_kind start;
	int error; /* -1: success */
	uint64_t request_bytes, response_bytes;
	uint64_t cpu_us, background_us; /* the latter: between the one before in that sandbox and this one */
	int64_t us[TALLY_TIMES];
};

/* By the process that the tally is of. Loading and running count only where there was any. */
void tally_count(struct tally *tally, const struct tally_invocation *invocation);

/* What a sandbox used that has no more invocations. */
void tally_count_background(struct tally *tally, const char *runtime, uint64_t us);

/* Adds what from holds. */
void tally_add(struct tally *to, const struct tally *from);
void tally_clear(struct tally *tally);

/* The bound of a bucket that is not the last. */
uint64_t tally_bound_us(int bucket);

#endif
