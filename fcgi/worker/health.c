#include "worker/health.h"

#include <errno.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/db.h"
#include "ipc/scoreboard.h"
#include "worker/discreet.h"
#include "worker/function_input.h"
#include "worker/json_body.h"
#include "worker/json_scan.h"
#include "worker/lease.h"
#include "worker/log_format.h"
#include "worker/request.h"
#include "worker/response.h"
#include "worker/worker.h"

/* Who asks whether we are ready does not want to wait long for a no. */
#define STATS_TIMEOUT_US 500000

void health_alive(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(json_decrefp) json_t *json = json_pack("{s:s}", "status", "ok");

	(void)w, (void)request;
	response_json(response, 200, "application/json", json);
}

static void add_check(json_t *checks, const char *name, bool ok, const char *detail)
{
	json_object_set_new(checks, name, json_pack("{s:s, s:o}", "status", ok ? "ok" : "failed", "detail", json_text(detail)));
}

/* What PostgreSQL's library says names host and user: that is for the log (db_log.h). */
#define DATABASE_AWAY "PostgreSQL cannot be reached, or does not answer; berthd's log says why"

bool health_check_database(struct worker *w, json_t *checks)
{
	bool ok = db_ping(w->db, NULL) == 0;

	add_check(checks, "database", ok, ok ? "PostgreSQL answers" : DATABASE_AWAY);
	return ok;
}

/* poolmgr says what it knows to whoever asks, berthd --status for one; a client is not told all of it. */
static void make_discreet(json_t *stats)
{
	json_t *database = json_object_get(stats, "database");

	discreet_json(stats);
	if (json_string_length(json_object_get(database, "detail")) > 0)
		json_object_set_new(database, "detail", json_string(DATABASE_AWAY));
}

int health_ask_poolmgr(struct worker *w, bool whole, json_t **stats, struct err *err)
{
	AUTO(buf_free) struct buf text = {0};

	if (lease_stats(w->poolmgr, whole, clock_mono_us() + STATS_TIMEOUT_US, &text, err) < 0)
		return -1;
	json_t *json = json_loadb(text.data, text.len, 0, NULL);
	if (json == NULL)
		return err_set(err, EPROTO, "the pool manager's answer is not JSON");
	make_discreet(json);
	*stats = json;
	return 0;
}

/* poolmgr's numbers, NULL when it does not answer. */
static json_t *check_poolmgr(struct worker *w, json_t *checks)
{
	int64_t silent_us = scoreboard_sum(w->board, CHILD_POOLMGR).silent_us;
	json_t *stats = NULL;
	struct err err;
	bool ok = silent_us == 0 && health_ask_poolmgr(w, false, &stats, &err) == 0;

	if (silent_us > 0)
		err_set(&err, 0, "the pool manager has not moved for %.1f s", (double)silent_us / 1e6);
	if (!ok)
		log_warn("not ready: %s", err.msg);
	add_check(checks, "poolmgr", ok,
		  ok              ? "the pool manager answers"
		  : silent_us > 0 ? err.msg
				  : "the pool manager does not answer");
	return stats;
}

/* Those that there is but one of, and that a request does not wait for. */
static void check_processes(struct worker *w, json_t *checks)
{
	static const enum child_role watched[] = {CHILD_FOLLOW, CHILD_COLLECTOR, CHILD_WARDEN};
	struct err err = {.msg = "all of them show signs of life"};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		int64_t silent_us = scoreboard_sum(w->board, watched[i]).silent_us;
		if (silent_us > 0)
			ok = err_set(&err, 0, "%s has not moved for %.1f s", child_role_name(watched[i]),
				     (double)silent_us / 1e6) == 0;
	}
	add_check(checks, "processes", ok, err.msg);
}

static bool check_docker(const json_t *stats, json_t *checks)
{
	const json_t *docker = json_object_get(stats, "docker");
	const char *detail = json_string_value(json_object_get(docker, "detail"));
	bool ok = json_is_true(json_object_get(docker, "ok"));

	if (detail == NULL || detail[0] == '\0')
		detail = ok ? "Docker Engine answers" : "the pool manager does not say";
	add_check(checks, "docker", ok, detail);
	return ok;
}

/* While one is missing nothing runs in its language, though all else is well. */
static bool check_images(struct worker *w, const json_t *stats, json_t *checks)
{
	const json_t *images = json_object_get(stats, "images");
	char text[LANGUAGE_TEXT_SIZE];
	const struct language *l;

	LL_FOREACH (w->languages, l) {
		const json_t *there = json_object_get(images, l->name);
		if (json_is_true(there))
			continue;
		add_check(checks, "images", false,
			  there ? language_missing_text(l, text) : "the pool manager does not know yet which images are there");
		return false;
	}
	add_check(checks, "images", true, "the images of all languages are there");
	return true;
}

void health_ready(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(json_decrefp) json_t *checks = json_object();
	bool database = health_check_database(w, checks);
	AUTO(json_decrefp) json_t *stats = check_poolmgr(w, checks);
	bool docker = check_docker(stats, checks), images = check_images(w, stats, checks);
	bool ready = database && docker && images;
	check_processes(w, checks);
	AUTO(json_decrefp)
	json_t *json = json_pack("{s:s, s:O, s:O?}", "status", ready ? "ready" : "not_ready", "checks", checks, "pool", stats);

	(void)request;
	response_json(response, ready ? 200 : 503, "application/json", json);
}

void health_limits(struct worker *w, const struct request *request, struct response *response)
{
	struct function_rules rules = {.conf = w->conf, .languages = w->languages};
	json_t *invocation = json_pack("{s:I, s:I}", "request_bytes", (json_int_t)w->conf->limits_request_bytes,
				       "queue_timeout_ms", (json_int_t)w->conf->pool_queue_timeout_ms);
	/* Of what is sent to be parsed; and of answers that have the lines of a log. */
	json_t *body = json_pack("{s:i, s:i}", "values", JSON_SCAN_SMALL_VALUES, "depth", JSON_SCAN_SMALL_DEPTH);
	json_t *logs = json_pack("{s:i, s:i, s:i}", "page_lines", LOG_PAGE_LINES, "page_bytes", (int)LOG_PAGE_BYTES,
				 "line_bytes", (int)LOG_LINE_BYTES);
	AUTO(json_decrefp)
	json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "function", function_input_limits(&rules), "invocation", invocation,
				 "body", body, "logs", logs);

	(void)request;
	response_json(response, 200, "application/json", json);
}
