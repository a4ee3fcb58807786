/* A round: all that the spool holds is stored, and what is stored and has no writer any more is removed. */
#ifndef COLLECTOR_ROUND_H
#define COLLECTOR_ROUND_H

struct collector;

/*
 * One round, unless another collector has the spool, and what it means for the log: a line when things go wrong, or wrong in
 * another way, and one when they are well. What could not be stored stays in the spool for the next round.
 */
void round_run(struct collector *c);

#endif
