/* A round stores everything in the spool, and removes files that are stored and no longer have a writer. */
#ifndef COLLECTOR_ROUND_H
#define COLLECTOR_ROUND_H

struct collector;

/*
 * Runs one round, unless another collector has the spool. Logs a line when storing fails, or fails for a different reason, and
 * one when it succeeds again. Records that could not be stored stay in the spool for the next round.
 */
void round_run(struct collector *c);

#endif
