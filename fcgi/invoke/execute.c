/*
 * The hot path: no database, no Docker, no unnecessary copy of input or output. Its order guarantees that each answered
 * invocation counts exactly once: first the sandbox is given back, then the record is written to the spool, then the client is
 * answered.
 */
#include "invoke/execute.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/json_body.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/response.h"
#include "invoke/spool.h"
#include "invoke/trace.h"
#include "ipc/record.h"
#include "run/invocation.h"
#include "run/lease.h"
#include "worker/worker.h"

/* The name of the version that is run if the caller does not ask for one. */
#define ALIAS_LATEST "latest"

/* One kept sandbox and others. Each one that is bad is destroyed, so the last ones are usually fresh. */
#define ATTEMPTS 8

/* One invocation, from its request to its record. */
struct call {
	struct uuid id;
	char id_text[UUID_TEXT_SIZE];
	struct trace trace;
	char traceparent[REQUEST_TRACEPARENT_SIZE]; /* traceparent with the invocation as the parent */
	int64_t requested_at_us;                    /* wall clock */
	int64_t start_us;                           /* monotonic */
	int64_t queue_us;
	bool known; /* the function is known, so there will be a record */
	struct uuid function_id;
	uint32_t version;
	enum ipc_start_kind start_kind; /* NONE: the request got no sandbox */
	char runtime[32];
	char start_cause[sizeof(((struct lease *)0)->start_cause)];
	struct problem problem; /* set when failed */
	bool failed;
	bool withdrawn; /* the client left before there was a sandbox: no answer, no record */
	struct outcome outcome;
};

static void call_clear(struct call *c)
{
	problem_clear(&c->problem);
	outcome_clear(&c->outcome);
}

static const struct json_member_rule body_rules[] = {{"input", false}, {"parameters", true}, {NULL}};

static void take_denial(struct call *c, struct denial *denial)
{
	c->failed = true;
	c->withdrawn = denial->withdrawn;
	c->problem = denial->problem; /* including the memory it owns */
	c->known = denial->known;
	c->function_id = denial->function_id;
	c->version = denial->version;
}

static void take_lease(struct call *c, const struct lease *lease)
{
	c->known = true;
	c->function_id = lease->function_id;
	c->version = lease->version;
	c->start_kind = lease->start_kind;
	text_copy(c->runtime, sizeof(c->runtime), lease->runtime, strlen(lease->runtime));
	text_copy(c->start_cause, sizeof(c->start_cause), lease->start_cause, strlen(lease->start_cause));
}

/* Records what the sandbox printed after its previous invocation, which is on record already. */
static void record_late(struct worker *w, const struct call *c)
{
	const struct late *late = &c->outcome.late;
	struct record r = {
		.invocation_id = late->of.id,
		.function_id = c->function_id,
		.version = c->version,
		.runtime = STR(c->runtime),
		.requested_at_us = (uint64_t)clock_wall_us(),
		.late_for_us = (uint64_t)late->of.requested_at_us,
		.log = late->log,
		.log_times = late->log_times,
		.log_streams = late->log_streams,
		.log_levels = late->log_levels,
		.log_bytes = late->log_bytes,
	};

	spool_append(w->spool, &r);
}

/* Gets a sandbox, runs the function in it and gives it back. */
static void attempt(struct worker *w, const struct request *request, uint32_t version, int64_t deadline_us, struct call *c)
{
	struct invocation_input input = {.id = c->id_text,
					 .request_id = request->id,
					 .traceparent = c->traceparent,
					 .begun_us = c->start_us,
					 .uuid = c->id,
					 .requested_at_us = c->requested_at_us,
					 .body = request->body,
					 .body_len = request->body_len};
	struct lease lease = LEASE_NONE;
	struct denial denial = {0};

	atomic_store_explicit(&w->slot->waits_in, (uint32_t)w->lane + 1, memory_order_relaxed);
	int rc = lease_acquire(w->poolmgr, request->segments[1], version, request->id, deadline_us, &lease, &denial);
	atomic_store_explicit(&w->slot->waits_in, 0, memory_order_relaxed);
	c->queue_us = clock_mono_us() - c->start_us;
	if (rc < 0) {
		take_denial(c, &denial);
		return;
	}
	take_lease(c, &lease);
	invocation_run(w->invocation, &lease, &input, &c->outcome);
	lease_release(w->poolmgr, &lease, c->outcome.destroy_reason);
	if (c->outcome.late.log_bytes > 0)
		record_late(w, c);
	if (c->outcome.late.failures > 0)
		tally_count_late(w->tally, c->runtime, c->outcome.late.failures);
}

static void deny_late(const struct worker *w, struct call *c)
{
	c->failed = true;
	problem_set(&c->problem, PROBLEM_OVERLOADED, NULL, "No worker was free within %" PRId64 " ms; the function was not run",
		    w->conf->pool_queue_timeout_ms);
}

static void run(struct worker *w, const struct request *request, uint32_t version, struct call *c)
{
	int64_t deadline_us = c->start_us + w->conf->pool_queue_timeout_ms * 1000;

	if (clock_mono_us() >= deadline_us) {
		deny_late(w, c);
		return;
	}
	attempt(w, request, version, deadline_us, c);
	/*
	 * The sandbox had died or misbehaved while it was idle, or died before it had read the request, or poolmgr recalled it.
	 * Nothing ran, so another one may be tried.
	 */
	for (int i = 1; i < ATTEMPTS && !c->failed && c->outcome.kind == OUTCOME_UNTOUCHED && clock_mono_us() < deadline_us;
	     i++) {
		outcome_clear(&c->outcome);
		attempt(w, request, version, deadline_us, c);
	}
	if (!c->failed && c->outcome.kind != OUTCOME_SUCCESS) {
		c->failed = true;
		c->problem = c->outcome.problem;
		c->outcome.problem = (struct problem){0};
	}
}

static void respond(const struct call *c, struct response *response)
{
	const struct {
		const char *name;
		int64_t us;
	} timing[] = {{"queue;dur=", c->queue_us}, {", init;dur=", c->outcome.init_us}, {", exec;dur=", c->outcome.exec_us}};
	char timing_text[128];
	struct text t = TEXT(timing_text);

	if (c->known) /* it is the id of a record */
		response_header_text(response, "Berth-Invocation-Id", c->id_text);
	response_header_text(response, "traceparent", c->traceparent);
	if (c->start_kind != IPC_START_NONE)
		response_header_text(response, "Berth-Start", start_kind_name(c->start_kind));
	for (size_t i = 0; i < ARRAY_SIZE(timing); i++) {
		text_add_str(&t, timing[i].name);
		text_add_decimal(&t, (uint64_t)timing[i].us / 1000, 1);
		text_add_str(&t, ".");
		text_add_decimal(&t, (uint64_t)timing[i].us % 1000, 3);
	}
	response_header_text(response, "Server-Timing", timing_text);
	if (c->failed) {
		problem_send(&c->problem, response);
		return;
	}
	struct str parts[] = {STR("{\"output\":"), c->outcome.output, STR("}")};
	response_borrow(response, 200, "application/json", parts, ARRAY_SIZE(parts));
}

static void record(struct worker *w, const struct request *request, const char *alias, const struct call *c,
		   const struct response *response)
{
	const struct outcome *o = &c->outcome;
	struct record r = {
		.invocation_id = c->id,
		.function_id = c->function_id,
		.version = c->version,
		.alias = STR(alias),
		.request_id = STR(request->id),
		.caller = STR(request->caller),
		.trace_id = c->trace.id,
		.parent_span_id = c->trace.parent_id,
		.trace_flags = c->trace.flags,
		.requested_at_us = (uint64_t)c->requested_at_us,
		.response_us = (uint64_t)(clock_mono_us() - c->start_us),
		.queue_us = (uint64_t)c->queue_us,
		.init_us = (uint64_t)o->init_us,
		.exec_us = (uint64_t)o->exec_us,
		.cpu_us = o->cpu_us >= 0 ? (uint64_t)o->cpu_us : RECORD_UNKNOWN,
		.background_us = (uint64_t)o->background_us,
		.memory_bytes = (uint64_t)o->memory_bytes,
		.start_kind = (uint8_t)c->start_kind,
		.runtime = STR(c->runtime),
		.status = (uint32_t)response->status,
		.error_code = STR(c->failed ? problem_name(c->problem.code) : ""),
		.error_message = STR(c->failed ? problem_detail(&c->problem) : ""),
		.request_bytes = request->body_len,
		.response_bytes = response->body_len,
		.log = o->log,
		.log_times = o->log_times,
		.log_streams = o->log_streams,
		.log_levels = o->log_levels,
		.log_bytes = o->log_bytes,
		.start_cause = STR(c->start_cause),
	};

	spool_append(w->spool, &r);
}

static_assert((int)PROBLEM_COUNT <= (int)TALLY_ERRORS, "each has its place in a tally");

/* Counts every answered request, even those without a record because their function is unknown. */
static void count(struct worker *w, const struct request *request, const struct call *c, const struct response *response)
{
	const struct outcome *o = &c->outcome;
	struct tally_invocation i = {
		.runtime = c->runtime,
		.start = c->start_kind,
		.error = c->failed ? (int)c->problem.code : -1,
		.request_bytes = request->body_len,
		.response_bytes = response->body_len,
		.cpu_us = (uint64_t)MAX(o->cpu_us, 0),
		.background_us = (uint64_t)o->background_us,
		.us = {[TALLY_RESPONSE] = clock_mono_us() - c->start_us,
		       [TALLY_QUEUE] = c->queue_us,
		       [TALLY_INIT] = o->init_us,
		       [TALLY_EXEC] = o->exec_us},
	};

	tally_count(w->tally, &i);
}

/* Answers a request that is not an invocation. */
static void refuse(struct call *c, struct response *response)
{
	c->failed = true;
	problem_send(&c->problem, response);
}

/* Runs the function, writes the record and answers. */
static void invoke(struct worker *w, const struct request *request, uint32_t version, struct call *c, struct response *response)
{
	c->requested_at_us -= request->waited_us;
	c->start_us -= request->waited_us;
	uuid_format(&c->id, c->id_text);
	trace_begin(&c->trace, &c->id, request->traceparent);
	trace_format(&c->trace, c->traceparent);
	run(w, request, version, c);
	if (c->withdrawn)
		return;
	respond(c, response);
	log_debug("answered with status %d: function=%s start=%s runtime=%s", response->status, request->segments[1],
		  start_kind_name(c->start_kind), c->runtime);
	if (c->known)
		record(w, request, version == 0 ? ALIAS_LATEST : "", c, response);
}

void execute(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(call_clear)
	struct call c = {
		.id = uuid_new(), .requested_at_us = clock_wall_us(), .start_us = clock_mono_us(), .outcome = OUTCOME_NONE};
	int64_t version = 0;
	struct err err = {0};

	if (request_param_int(request, "version", 1, INT32_MAX, &version, &err) < 0) {
		problem_set(&c.problem, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		refuse(&c, response);
	} else if (json_body_check(request, body_rules, &c.problem) < 0) {
		refuse(&c, response);
	} else {
		invoke(w, request, (uint32_t)version, &c, response);
	}
	if (!c.withdrawn)
		count(w, request, &c, response);
}
