/*
 * Deploying: a version is tried in a real sandbox before it is stored, and the sandbox that loaded it is kept for its first

 * invocation. A trial takes deploy.trial_timeout_ms at most, whatever the function's init_timeout_ms: somebody waits for the
 * answer, and others for the worker. What certainly cannot work (code that does not compile, a handler that is not there) is
 refused; what may depend
 * on the moment (an exception while loading, say) becomes a warning.
 */
#ifndef CONTROL_FUNCTIONS_DEPLOY_H
#define CONTROL_FUNCTIONS_DEPLOY_H

#include <jansson.h>
#include <stdbool.h>

#include "control/functions/pack.h"
#include "http/problem.h"
#include "ipc/spec.h"
#include "run/lease.h"

struct worker;
struct request;

/* The sandbox in which the version was tried. */
struct trial {
	struct worker *worker;
	struct lease lease;
	bool good; /* it has loaded the version */
};

/*
 * Loads spec's code in a sandbox. On failure *problem says why it is refused. Otherwise *trial belongs to the caller, and
 * warnings are appended to the JSON array.
 */
int deploy_try(struct worker *worker, const struct request *request, const struct spec *spec, const struct pack *package,
	       struct trial *trial, json_t *warnings, struct problem *problem);

/*
 * To be called after the version was stored: no invocation that begins after this returns runs an older one. If poolmgr cannot
 * be reached, that holds as soon as it can, because a new poolmgr reads the database. version 0: the function was deleted.
 */
void deploy_publish(struct worker *worker, const struct uuid *function_id, uint32_t version);

/* Gives the sandbox back: to serve the version if it was stored, otherwise to be destroyed. */
void deploy_end(struct trial *trial, bool stored);
void deploy_abandon(struct trial *trial); /* destructor for AUTO; does nothing after deploy_end */

#endif
