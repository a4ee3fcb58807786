/*
 * The stop of the master: its children end stage by stage (role.c), and who is late is killed. It is begun by a signal, or by
 * an heir that has taken over.
 */
#ifndef MASTER_STOP_H
#define MASTER_STOP_H

#include <stdint.h>

#include "master/children/role.h"

struct master;

/* When who is told to end now is to be gone. */
int64_t stop_deadline_us(const struct master *m);

/* Begins it, with those stages. */
void stop_begin(struct master *m, const struct role_stage stages[ROLE_STAGE_COUNT]);

/*
 * Somebody wants it to end. The first time that begins the stop; when requests in flight had all their time they have less now;
 * and else it ends the patience with all who are left.
 */
void stop_order(struct master *m, const char *why);

/* Begins the next stage when nobody of the one before is left. */
void stop_advance(struct master *m);

#endif
