#include "control/health/health.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <utlist.h>

#include "base/log.h"
#include "control/health/dependency.h"
#include "http/request.h"
#include "http/response.h"
#include "ipc/scoreboard.h"
#include "worker/worker.h"

void health_alive(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(json_decrefp) json_t *json = json_pack("{s:s}", "status", "ok");

	(void)w, (void)request;
	response_json(response, 200, "application/json", json);
}

/* poolmgr's numbers; NULL when it does not answer. */
static json_t *check_poolmgr(struct worker *w, json_t *checks)
{
	int64_t silent_us = scoreboard_sum(w->board, CHILD_POOLMGR).silent_us;
	json_t *stats = NULL;
	struct err err;
	bool ok = silent_us == 0 && dependency_ask_poolmgr(w, false, &stats, &err) == 0;

	if (silent_us > 0)
		err_set(&err, 0, "the pool manager has shown no sign of life for %.1f s", (double)silent_us / 1e6);
	if (!ok)
		log_warn("not ready: %s", err.msg);
	dependency_add(checks, "poolmgr", ok,
		       ok              ? "the pool manager answers"
		       : silent_us > 0 ? err.msg
				       : "the pool manager does not answer");
	return stats;
}

/* Roles with a single process, on which no request waits. */
static void check_processes(struct worker *w, json_t *checks)
{
	static const enum child_role watched[] = {CHILD_FOLLOW, CHILD_COLLECTOR, CHILD_WARDEN};
	struct err err = {.msg = "all processes show signs of life"};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		int64_t silent_us = scoreboard_sum(w->board, watched[i]).silent_us;
		if (silent_us > 0)
			ok = err_set(&err, 0, "%s has shown no sign of life for %.1f s", child_role_name(watched[i]),
				     (double)silent_us / 1e6) == 0;
	}
	dependency_add(checks, "processes", ok, err.msg);
}

static bool check_docker(const json_t *stats, json_t *checks)
{
	const json_t *docker = json_object_get(stats, "docker");
	const char *detail = json_string_value(json_object_get(docker, "detail"));
	bool ok = json_is_true(json_object_get(docker, "ok"));

	if (detail == NULL || detail[0] == '\0')
		detail = ok ? "Docker Engine answers" : "the pool manager gave no reason";
	dependency_add(checks, "docker", ok, detail);
	return ok;
}

/* Functions that name no runtime get this one, so it must be available; others may be missing. */
static bool check_runtime(struct worker *w, const json_t *stats, json_t *checks)
{
	const char *name = w->conf->sandbox_default_runtime;
	const json_t *runtime = json_object_get(json_object_get(stats, "runtimes"), name);
	const char *detail = json_string_value(json_object_get(runtime, "detail"));
	bool ok = json_is_true(json_object_get(runtime, "available"));
	char text[512];

	if (ok)
		snprintf(text, sizeof(text), "the default runtime %s is available", name);
	else
		snprintf(text, sizeof(text), "the default runtime %s is not available: %s", name,
			 detail != NULL ? detail : "the pool manager gave no reason");
	dependency_add(checks, "runtime", ok, text);
	return ok;
}

/*
 * While the image of a default version is missing, functions that name no version cannot be deployed. Images of other versions
 * are made when somebody needs them.
 */
static bool check_images(struct worker *w, const json_t *stats, json_t *checks)
{
	const json_t *images = json_object_get(stats, "images");
	char text[LANGUAGE_TEXT_SIZE];
	const struct language *l;

	LL_FOREACH (w->languages, l) {
		const json_t *there = json_object_get(images, l->default_version->label);
		if (json_is_true(there))
			continue;
		dependency_add(checks, "images", false,
			       there ? language_missing_text(l->default_version, text)
				     : "the pool manager has not checked the images yet");
		return false;
	}
	dependency_add(checks, "images", true, "the image of the default version of each language is available");
	return true;
}

void health_ready(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(json_decrefp) json_t *checks = json_object();
	bool database = dependency_check_database(w, checks);
	AUTO(json_decrefp) json_t *stats = check_poolmgr(w, checks);
	bool docker = check_docker(stats, checks), runtime = check_runtime(w, stats, checks);
	bool images = check_images(w, stats, checks);
	bool ready = database && docker && runtime && images;
	check_processes(w, checks);
	AUTO(json_decrefp)
	json_t *json = json_pack("{s:s, s:O, s:O?}", "status", ready ? "ready" : "not_ready", "checks", checks, "pool", stats);

	(void)request;
	response_json(response, ready ? 200 : 503, "application/json", json);
}
