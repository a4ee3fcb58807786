/*
 * The stop of the master: its children end stage by stage (role.c), and late ones are killed. A signal begins it, or a
 * successor that has taken over.
 */
#ifndef MASTER_STOP_H
#define MASTER_STOP_H

#include <stdint.h>

#include "master/children/role.h"

struct master;

/* The time by which a process that is told to end now must have ended. */
int64_t stop_deadline_us(const struct master *m);

/* Begins the stop, with those stages. */
void stop_begin(struct master *m, const struct role_stage stages[ROLE_STAGE_COUNT]);

/*
 * Handles a signal that ends the master. The first one begins the stop. If a stop gives requests in flight all their time, the
 * signal limits that time; otherwise all remaining processes are killed at once.
 */
void stop_order(struct master *m, const char *why);

/* Begins the next stage when no process of the current one is left. */
void stop_advance(struct master *m);

#endif
