/*
 * How a leased sandbox ended: a worker that finds its agent gone asks. As a rule its launcher has said it (runtimes/launcher).
 * When it could not, since it was killed along with all the rest, Docker is asked until it knows; it also says whether memory
 * ran out.
 */
#ifndef POOLMGR_SANDBOX_AUTOPSY_H
#define POOLMGR_SANDBOX_AUTOPSY_H

#include <stdint.h>

#include "engine/docker.h"
#include "poolmgr/sandbox/sandbox.h"

void autopsy_init(struct docker *docker);

/* The holder of the sandbox asks; FINDING goes to it through client_send. sandbox NULL: there is none. */
void autopsy_ask(struct client *client, struct sandbox *sandbox, uint64_t seq);

/* Sandbox hook: its container, or its agent, has ended. */
void autopsy_on_dead(struct sandbox *sandbox);

/* Docker's event may come late, or never: then it is asked. Called every tick. */
void autopsy_tick(int64_t now_us);

#endif
