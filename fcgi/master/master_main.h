/* Runs the master; master_main.c describes it. */
#ifndef MASTER_MASTER_MAIN_H
#define MASTER_MASTER_MAIN_H

struct master_start;
struct settings;

/*
 * Runs until a signal ends it. settings, which were read already, and start are borrowed. Returns the exit status: 0, or 1
 * after a failed start.
 */
int master_main(struct settings *settings, const struct master_start *start);

#endif
