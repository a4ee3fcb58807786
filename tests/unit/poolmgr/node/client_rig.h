/*
 * Workers' connections without a pool behind them: what they say is counted and answered here, in the fewest words. A question
 * for a sandbox is denied, or stays open.
 */
#ifndef UNIT_POOLMGR_CLIENT_RIG_H
#define UNIT_POOLMGR_CLIENT_RIG_H

#include "ipc/heritage.h"
#include "tests/unit/poolmgr/fake_worker.h"
#include "tests/unit/poolmgr/rig.h"

extern struct client_rig {
	uid_t users[HERITAGE_CLIENTS]; /* who may connect as an invoke worker, and who as a control worker: us */
	bool keeps_open;               /* questions for a sandbox; false: they are denied */
	int open;                      /* questions */
	int releases;
	int gone; /* clients */
} client_rig;

/* For cmocka: of a group of tests, before each, and after each, whose workers have closed. */
int client_rig_set_up(void **state);
int client_rig_tear_down(void **state);
int client_rig_each(void **state);
int client_rig_nothing_leaks(void **state);

#endif
