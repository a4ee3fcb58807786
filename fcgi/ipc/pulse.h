/*
 * The pulse of a process: the time of its latest beat, in its slot on the scoreboard. It beats wherever it gets round its loop,
 * and while it waits with a deadline; so one that is stopped, or hangs, is known by its silence (master/children/crew.h). Only
 * the processes that there is but one of have a pulse: in all others nothing here does anything.
 */
#ifndef IPC_PULSE_H
#define IPC_PULSE_H

#include <stdint.h>

#include "ipc/scoreboard.h"

#define PULSE_US 500000 /* the most between two beats of one that is well */

void pulse_begin(struct slot *slot); /* with a beat */
void pulse_beat(void);

/* When to stop waiting for something that is due then, for the next beat; due_us itself when there is no pulse, or it is
 * sooner. */
int64_t pulse_due_us(int64_t due_us);

#endif
