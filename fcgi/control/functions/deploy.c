#include "control/functions/deploy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/functions/function_input_error.h"
#include "http/json_text.h"
#include "http/request.h"
#include "run/invocation.h"
#include "worker/worker.h"

/* Longer than a restart of poolmgr. */
#define PUBLISH_TIMEOUT_US 3000000

static int get_sandbox(struct trial *trial, const struct request *request, const struct spec *spec, const struct pack *package,
		       struct problem *problem)
{
	struct worker *w = trial->worker;
	AUTO(json_decrefp) json_t *json = spec_to_json(spec);
	AUTO(mem_free) char *text = json_dumps(json, JSON_COMPACT);
	int64_t deadline_us = clock_mono_us() + w->conf->pool_queue_timeout_ms * 1000;
	struct denial denial = {0};

	if (lease_check(w->poolmgr, text, package->archive, package->len, request->id, deadline_us, &trial->lease, &denial) ==
	    0)
		return 0;
	problem_clear(problem);
	*problem = denial.problem; /* destructor: frees it with everything it owns */
	return -1;
}

static int refuse(struct problem *problem, const struct outcome *o)
{
	AUTO(json_decrefp) json_t *errors = json_array();
	bool syntax = o->init_failure == INIT_SYNTAX;

	if (syntax && o->init_line > 0)
		function_input_error(errors, "code", MISTAKE_DOES_NOT_COMPILE, "Line %" PRId64 ": %s", o->init_line,
				     problem_detail(&o->problem));
	else if (syntax)
		function_input_error(errors, "code", MISTAKE_DOES_NOT_COMPILE, "%s", problem_detail(&o->problem));
	else
		function_input_error(errors, "handler", MISTAKE_HANDLER_NOT_FOUND, "%s", problem_detail(&o->problem));
	if (syntax && o->init_line > 0)
		json_object_set_new(json_array_get(errors, 0), "line", json_integer(o->init_line));
	problem_set(problem, PROBLEM_INVALID_FUNCTION, json_pack("{s:O}", "errors", errors), "%s; nothing was stored",
		    syntax ? "The code does not compile" : "The handler was not found in the code");
	return -1;
}

/* The code was still loading when the trial ended; the function's first invocation may wait longer for it. */
static json_t *unfinished(const struct trial *trial, const struct spec *spec)
{
	return json_sprintf("The code was still loading after %" PRId64 " ms, when the deployment stopped waiting; an "
			    "invocation waits up to %" PRId64 " ms (init_timeout_ms)",
			    trial->worker->conf->deploy_trial_timeout_ms, spec->init_timeout_ms);
}

static void warn(json_t *warnings, const struct trial *trial, const struct spec *spec, const struct outcome *o)
{
	bool cut = o->init_failure == INIT_TIMEOUT && (int64_t)trial->lease.init_timeout_ms < spec->init_timeout_ms;

	json_array_append_new(warnings, json_pack("{s:s, s:o}", "code", problem_name(o->problem.code), "message",
						  cut ? unfinished(trial, spec) : json_text(problem_detail(&o->problem))));
}

int deploy_try(struct worker *worker, const struct request *request, const struct spec *spec, const struct pack *package,
	       struct trial *trial, json_t *warnings, struct problem *problem)
{
	AUTO(outcome_clear) struct outcome o = OUTCOME_NONE;

	*trial = (struct trial){.worker = worker, .lease = LEASE_NONE};
	if (get_sandbox(trial, request, spec, package, problem) < 0)
		return -1;
	trial->lease.init_timeout_ms = (uint32_t)MIN(trial->lease.init_timeout_ms, worker->conf->deploy_trial_timeout_ms);
	invocation_init(worker->invocation, &trial->lease, &o);
	trial->good = o.kind == OUTCOME_SUCCESS && o.destroy_reason == 0;
	if (o.init_failure == INIT_SYNTAX || o.init_failure == INIT_HANDLER) {
		deploy_end(trial, false);
		return refuse(problem, &o);
	}
	if (o.kind != OUTCOME_SUCCESS)
		warn(warnings, trial, spec, &o);
	return 0;
}

void deploy_publish(struct worker *worker, const struct uuid *function_id, uint32_t version)
{
	struct err err = {0};

	if (lease_invalidate(worker->poolmgr, function_id, version, clock_mono_us() + PUBLISH_TIMEOUT_US, &err) < 0)
		log_error("poolmgr was not told of a change: %s", err.msg);
}

void deploy_end(struct trial *trial, bool stored)
{
	if (trial->lease.control_fd < 0)
		return;
	lease_release(trial->worker->poolmgr, &trial->lease,
		      !stored       ? COUNT_KILL_NOT_DEPLOYED
		      : trial->good ? 0
				    : COUNT_KILL_NOT_LOADED);
}

void deploy_abandon(struct trial *trial)
{
	deploy_end(trial, false);
}
