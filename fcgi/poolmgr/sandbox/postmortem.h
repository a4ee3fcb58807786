/*
 * Finds out how a leased sandbox ended, for a worker that found its agent gone. Usually the launcher has reported it
 * (runtimes/launcher). If the launcher was killed too, Docker is asked until it knows; Docker also knows whether memory ran
 * out.
 */
#ifndef POOLMGR_SANDBOX_POSTMORTEM_H
#define POOLMGR_SANDBOX_POSTMORTEM_H

#include <stdint.h>

#include "engine/docker.h"
#include "poolmgr/sandbox/sandbox.h"

void postmortem_init(struct docker *docker);

/* The worker that has the sandbox asks; FINDING is sent to it through client_send. sandbox NULL: there is no such sandbox. */
void postmortem_ask(struct client *client, struct sandbox *sandbox, uint64_t seq);

/* Sandbox hook: its container or its agent has ended. */
void postmortem_on_dead(struct sandbox *sandbox);

/* Asks Docker when its event is late. Called every tick. */
void postmortem_tick(int64_t now_us);

#endif
