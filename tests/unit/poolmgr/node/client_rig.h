/*
 * Workers' connections without a pool: the rig counts their messages and answers them as briefly as possible. Requests for a
 * sandbox are denied, or stay open.
 */
#ifndef UNIT_POOLMGR_CLIENT_RIG_H
#define UNIT_POOLMGR_CLIENT_RIG_H

#include "ipc/inherited.h"
#include "tests/unit/poolmgr/fake_worker.h"
#include "tests/unit/poolmgr/rig.h"

extern struct client_rig {
	uid_t users[INHERITED_CLIENTS]; /* the users that may connect as invoke and as control workers: both are this one */
	bool keeps_open;                /* requests for a sandbox stay open; false: they are denied */
	int open;                       /* open requests */
	int releases;
	int gone; /* clients that have ended */
} client_rig;

/* For cmocka: set-up of a group of tests, of each test, and the end of each test, whose workers must have closed. */
int client_rig_set_up(void **state);
int client_rig_tear_down(void **state);
int client_rig_each(void **state);
int client_rig_nothing_leaks(void **state);

#endif
