/* Stores the state of this machine once a minute: a row of system_samples (db/sample.def). */
#ifndef COLLECTOR_SAMPLE_H
#define COLLECTOR_SAMPLE_H

#include <stdint.h>

#include "db/db.h"
#include "ipc/scoreboard.h"

/* The processors' time since the machine started, in clock ticks. */
struct cpu_time {
	uint64_t busy;
	int64_t at_us; /* monotonic */
};

struct sampler {
	const char *node, *state_dir; /* borrowed */
	struct cpu_time cpu_before;
	int64_t due_us; /* wall-clock time of the next full minute */
};

/* The first sample is taken at the end of the current minute. */
void sampler_init(struct sampler *sampler, const char *node, const char *state_dir);

/* Stores a sample when one is due. The next one is due a minute later, even after an error. Errors as in db/db.h. */
int sampler_run(struct sampler *sampler, struct scoreboard *board, struct db *db, struct err *err);

#endif
