/*
 * The counts of invoke workers for GET /metrics, each in the memory of its slot on the scoreboard, since berthd started. One
 * process writes and others read; every number is one word, so counting needs no lock.
 */
#ifndef IPC_TALLY_H
#define IPC_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "ipc/start_kind.h"

/* The runtimes of runtimes/driver.c in the same order, then one entry for no runtime or an unknown one. */
#define TALLY_RUNTIME_NAMES                                                                                                    \
	{                                                                                                                      \
		"docker", "gvisor", "none"                                                                                     \
	}
enum { TALLY_RUNTIMES = 3 };
extern const char *const tally_runtimes[TALLY_RUNTIMES];

/* Errors by their number in ipc/problem.def. */
enum { TALLY_ERRORS = 48 };

/*
 * Times by bucket: the first ends at TALLY_FIRST_US, each following one at twice its predecessor; the last also holds longer
 * times.
 */
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
	_Atomic uint64_t late_errors[TALLY_RUNTIMES];
	struct tally_histogram times[TALLY_RUNTIMES][TALLY_TIMES];
};

struct tally_invocation {
	const char *runtime; /* "" for none */
	enum ipc_start_kind start;
	int error; /* -1: success */
	uint64_t request_bytes, response_bytes;
	uint64_t cpu_us, background_us; /* background_us: used between the previous invocation in that sandbox and this one */
	int64_t us[TALLY_TIMES];
};

/* Called by the process that owns the tally. Loading and running are counted only for invocations that had them. */
void tally_count(struct tally *tally, const struct tally_invocation *invocation);

/* What a sandbox used after its last invocation. */
void tally_count_background(struct tally *tally, const char *runtime, uint64_t us);

/* Errors that nobody caught, and that came after the answer. */
void tally_count_late(struct tally *tally, const char *runtime, uint64_t errors);

/* Adds the counts of from. */
void tally_add(struct tally *to, const struct tally *from);
void tally_clear(struct tally *tally);

/* The upper bound of a bucket other than the last. */
uint64_t tally_bound_us(int bucket);

#endif
