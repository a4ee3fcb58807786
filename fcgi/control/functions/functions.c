#include "control/functions/functions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/db_problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/functions/deploy.h"
#include "control/functions/environment.h"
#include "control/functions/function_input.h"
#include "control/functions/function_input_error.h"
#include "control/functions/function_json.h"
#include "control/functions/pack.h"
#include "db/db_functions.h"
#include "http/json_body.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/response.h"
#include "worker/worker.h"

#define LIST_DEFAULT 50
#define LIST_MAX     200

static void respond_function(const struct worker *w, const struct db_function *f, int status, json_t *warnings,
			     struct response *response)
{
	AUTO(json_decrefp) json_t *json = function_json_whole(f, w->conf);

	if (json_array_size(warnings) > 0)
		json_object_set(json, "warnings", warnings);
	response_header(response, "ETag", "\"%" PRId64 "\"", f->spec->version);
	if (status == 201)
		response_header(response, "Location", "/functions/%s", f->spec->function_id);
	response_json(response, status, "application/json", json);
}

/* The state of a deployment. */
struct deployment {
	struct worker *worker;
	const struct request *request;
	json_t *body, *warnings;
	struct function_input input;
	struct db_look look; /* what PostgreSQL has */
	bool copies;         /* whether look.function is copied; otherwise it is updated */
	struct pack package;
	struct trial trial;
	struct db_function *stored;
};

static void deployment_clear(struct deployment *d)
{
	deploy_abandon(&d->trial);
	db_function_free(&d->stored);
	db_function_free(&d->look.function);
	pack_free(&d->package);
	function_input_clear(&d->input); /* freed before the body, because its code points into the body */
	json_decref(d->body);
	json_decref(d->warnings);
}

static int refuse_input(json_t *errors, struct problem *problem)
{
	bool all = json_array_size(errors) < FUNCTION_INPUT_ERRORS_MAX;

	problem_set(problem, PROBLEM_INVALID_FUNCTION, json_pack("{s:O}", "errors", errors),
		    "%s%zu field%s invalid; see `errors`", all ? "" : "At least ", json_array_size(errors),
		    json_array_size(errors) == 1 ? " is" : "s are");
	return -1;
}

/* Asks PostgreSQL once for everything that the deployment needs. ref: the function to update or to copy, or NULL. */
static int look(struct deployment *d, const char *ref, struct problem *problem)
{
	const struct db_look_for what = {
		.ref = ref,
		.name = json_string_value(json_object_get(d->body, "name")),
		.but_for_it = !d->copies,
		.warm = json_object_get(d->body, "min_warm") != NULL,
	};
	struct err err = {0};

	if (db_function_look(d->worker->db, &what, &d->look, &err) == 0)
		return 0;
	db_problem(problem, &err, ref != NULL ? ref : what.name != NULL ? what.name : "");
	return -1;
}

/* current: the version whose values apply to fields that the body does not contain, or NULL. */
static int check_input(struct deployment *d, const struct spec *current, struct problem *problem)
{
	struct function_rules rules = {.conf = d->worker->conf, .languages = d->worker->languages};
	AUTO(json_decrefp) json_t *errors = json_array();

	/* Two simultaneous deployments may not see each other's min_warm; poolmgr still enforces the limit
	 * (poolmgr/pool/min_warm.h). */
	rules.others = (struct function_warm){d->look.warm_sandboxes, d->look.warm_memory_mb};
	if (current != NULL && !d->copies)
		rules.before = (struct function_warm){current->min_warm, current->min_warm * current->memory_limit_mb};
	if (d->copies && json_object_get(d->body, "name") == NULL)
		function_input_error(errors, "name", MISTAKE_REQUIRED, "name is missing: a copy needs its own name");
	environment_unmask(json_object_get(d->body, "environment"), current != NULL ? current->environment : NULL, errors);
	if (function_input_parse(&rules, d->body, current, &d->input, errors) < 0 || json_array_size(errors) > 0)
		return refuse_input(errors, problem);
	return 0;
}

static int refuse_source(enum mistake code, const char *message, struct problem *problem)
{
	AUTO(json_decrefp) json_t *errors = json_array();

	function_input_error(errors, "from", code, "%s", message);
	return refuse_input(errors, problem);
}

/*
 * Asks PostgreSQL for a new function. If "from" names a function, that is the source of a copy, whose values apply to fields
 * that the body does not contain.
 */
static int look_for_source(struct deployment *d, struct problem *problem)
{
	AUTO(json_decrefp) json_t *from = json_incref(json_object_get(d->body, "from"));

	d->copies = from != NULL;
	json_object_del(d->body, "from"); /* it is not a field of a function */
	if (from != NULL && !json_is_string(from))
		return refuse_source(MISTAKE_WRONG_TYPE, "from must be the name or id of a function", problem);
	if (look(d, json_string_value(from), problem) < 0)
		return -1;
	if (from != NULL && d->look.function == NULL)
		return refuse_source(MISTAKE_NOT_FOUND, "The function named in from does not exist", problem);
	return 0;
}

/* Makes the package from the code. An update or a copy without code uses the stored package. */
static int get_package(struct deployment *d, struct problem *problem)
{
	struct spec *spec = d->input.spec;
	const struct language *l = language_find(d->worker->languages, spec->language);
	AUTO(mem_free) char *file_name = pack_file_name_new(spec->handler, l->source_file);
	struct err err = {0};

	if (d->input.code == NULL)
		return 0;
	if (pack_build(file_name, d->input.code, d->input.code_len, &d->package, &err) < 0) {
		log_error("%s", err.msg);
		problem_set(problem, PROBLEM_INTERNAL_ERROR, NULL,
			    "The code could not be packed; look for the request id in berthd.log");
		return -1;
	}
	mem_free(&spec->package_sha256);
	spec->package_sha256 = mem_strdup(d->package.sha256);
	return 0;
}

/* Checks the name before a sandbox is used for the trial. The database checks it again when it stores the version. */
static int check_name(const struct deployment *d, struct problem *problem)
{
	const struct spec *spec = d->input.spec;
	const struct err taken = {.code = EEXIST};

	if (d->look.namesake[0] == '\0' || strcmp(d->look.namesake, spec->function_id) == 0)
		return 0;
	db_problem(problem, &taken, spec->name);
	return -1;
}

static int store(struct deployment *d, struct problem *problem)
{
	const struct spec *spec = d->input.spec;
	const struct pack *p = &d->package;
	struct err err = {0};

	int rc = spec->version == 1 ? db_function_create(d->worker->db, spec, p->archive, p->len, &d->stored, &err)
				    : db_function_update(d->worker->db, spec, p->archive, p->len, &d->stored, &err);
	if (rc < 0)
		db_problem(problem, &err, spec->name);
	return rc;
}

static void warn_of_language_version(struct deployment *d)
{
	const struct spec *spec = d->input.spec;
	const struct language *l = language_find(d->worker->languages, spec->language);
	const struct language_version *v = language_version_find(l, spec->language_version);

	if (language_version_is_over(v, clock_wall_us()))
		json_array_append_new(d->warnings,
				      json_pack("{s:s, s:o}", "code", "end_of_life", "message",
						json_sprintf("%s %s has had no security updates from its makers since %s; "
							     "move to a newer language_version, the default is %s",
							     l->name, v->name, v->end_of_life, l->default_version->name)));
}

/* Deploys a checked input: tries and stores the version. A failure leaves nothing behind. */
static int deploy(struct deployment *d, struct problem *problem)
{
	struct spec *spec = d->input.spec;
	struct uuid id;

	if (check_name(d, problem) < 0 || get_package(d, problem) < 0)
		return -1;
	warn_of_language_version(d);
	if (deploy_try(d->worker, d->request, spec, &d->package, &d->trial, d->warnings, problem) < 0 || store(d, problem) < 0)
		return -1;
	if (uuid_parse(spec->function_id, &id))
		deploy_publish(d->worker, &id, (uint32_t)spec->version);
	deploy_end(&d->trial, true);
	log_info("deployed function=%s name=%s version=%" PRId64, spec->function_id, spec->name, spec->version);
	return 0;
}

void functions_create(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(deployment_clear)
	struct deployment d = {.worker = w, .request = request, .warnings = json_array(), .trial.lease = LEASE_NONE};
	AUTO(problem_clear) struct problem problem = {0};
	struct uuid id = uuid_new();
	char text[UUID_TEXT_SIZE];

	uuid_format(&id, text);
	if (json_body_parse(request, &d.body, &problem) < 0 || look_for_source(&d, &problem) < 0 ||
	    check_input(&d, d.copies ? d.look.function->spec : NULL, &problem) < 0) {
		problem_send(&problem, response);
		return;
	}
	mem_free(&d.input.spec->function_id);
	d.input.spec->function_id = mem_strdup(text);
	d.input.spec->version = 1;
	if (deploy(&d, &problem) < 0)
		problem_send(&problem, response);
	else
		respond_function(w, d.stored, 201, d.warnings, response);
}

/* Parses If-Match; *version is -1 when any version is accepted. */
static int wanted_version(const struct request *request, int64_t *version, struct problem *problem)
{
	const char *tag = request->if_match;
	char *end;

	*version = -1;
	if (tag[0] == '\0' || strcmp(tag, "*") == 0)
		return 0;
	if (tag[0] == '"' && tag[1] >= '0' && tag[1] <= '9') {
		long long number = strtoll(tag + 1, &end, 10);
		if (strcmp(end, "\"") == 0) {
			*version = number;
			return 0;
		}
	}
	problem_set(problem, PROBLEM_VERSION_MISMATCH, NULL, "If-Match must be the ETag of a version, such as \"3\"");
	return -1;
}

static int check_version(const struct spec *current, int64_t wanted, struct problem *problem)
{
	if (wanted == -1 || wanted == current->version)
		return 0;
	problem_set(problem, PROBLEM_VERSION_MISMATCH, json_pack("{s:I}", "version", (json_int_t)current->version),
		    "The function is at version %" PRId64 ", but If-Match names version %" PRId64
		    "; read it again and repeat the change",
		    current->version, wanted);
	return -1;
}

static int update(struct deployment *d, const char *ref, struct problem *problem)
{
	AUTO(problem_clear) struct problem body_problem = {0};
	const struct err unknown = {.code = ENOENT};
	int64_t wanted;

	if (wanted_version(d->request, &wanted, problem) < 0)
		return -1;
	/* The body is parsed first because PostgreSQL is asked for its name too; a mistake in it is reported last. */
	int rc = json_body_parse(d->request, &d->body, &body_problem);
	if (look(d, ref, problem) < 0)
		return -1;
	if (d->look.function == NULL) {
		db_problem(problem, &unknown, ref);
		return -1;
	}
	const struct spec *current = d->look.function->spec;
	if (check_version(current, wanted, problem) < 0)
		return -1;
	if (rc < 0) {
		*problem = body_problem;
		body_problem = (struct problem){0};
		return -1;
	}
	if (check_input(d, current, problem) < 0)
		return -1;
	d->input.spec->version = current->version + 1;
	return deploy(d, problem);
}

/*
 * Whether an update that lost against another one is repeated on top of it, because its client accepts any version. The time
 * for this is what the request may spend waiting for a worker, which nginx's timeout allows for.
 */
static bool is_repeated(const struct worker *w, const struct request *request, const struct problem *problem, int64_t begun_us)
{
	bool any = request->if_match[0] == '\0' || strcmp(request->if_match, "*") == 0;
	int64_t spent_us = clock_mono_us() - begun_us + request->waited_us;

	return problem->code == PROBLEM_VERSION_MISMATCH && any && spent_us < w->conf->control_queue_timeout_ms * 1000;
}

/* Tries once. Returns true when the request is answered. */
static bool try_update(struct worker *w, const struct request *request, int64_t begun_us, struct response *response)
{
	AUTO(deployment_clear)
	struct deployment d = {.worker = w, .request = request, .warnings = json_array(), .trial.lease = LEASE_NONE};
	AUTO(problem_clear) struct problem problem = {0};

	if (update(&d, request->segments[1], &problem) == 0)
		respond_function(w, d.stored, 200, d.warnings, response);
	else if (is_repeated(w, request, &problem, begun_us))
		return false;
	else
		problem_send(&problem, response);
	return true;
}

void functions_update(struct worker *w, const struct request *request, struct response *response)
{
	int64_t begun_us = clock_mono_us();

	while (!try_update(w, request, begun_us, response))
		;
}

void functions_get(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(db_function_free) struct db_function *f = NULL;
	AUTO(problem_clear) struct problem problem = {0};
	struct err err = {0};

	if (db_function_get(w->db, request->segments[1], &f, &err) == 0) {
		respond_function(w, f, 200, NULL, response);
		return;
	}
	db_problem(&problem, &err, request->segments[1]);
	problem_send(&problem, response);
}

static int list_params(const struct request *request, int64_t *limit, struct uuid *after, bool *from_start, struct err *err)
{
	const char *cursor = request_param(request, "cursor");

	*from_start = cursor == NULL;
	if (cursor != NULL && !uuid_parse(cursor, after))
		return err_set(err, 0, "'cursor' must be the 'next' of an earlier answer");
	return request_param_int(request, "limit", 1, LIST_MAX, limit, err);
}

void functions_list(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(db_function_free) struct db_function *list = NULL;
	AUTO(problem_clear) struct problem problem = {0};
	AUTO(json_decrefp) json_t *items = json_array();
	int64_t limit = LIST_DEFAULT;
	struct err err = {0};
	struct uuid after;
	bool from_start;

	if (list_params(request, &limit, &after, &from_start, &err) < 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return;
	}
	/* Reads one function more than requested, to see whether there is a next page. */
	if (db_function_list(w->db, (int)limit + 1, from_start ? NULL : &after, &list, &err) < 0) {
		db_problem(&problem, &err, "");
		problem_send(&problem, response);
		return;
	}
	const char *last = NULL;
	const struct db_function *f = list;
	for (; f != NULL && (int64_t)json_array_size(items) < limit; f = f->next) {
		json_array_append_new(items, function_json(f));
		last = f->spec->function_id;
	}
	AUTO(json_decrefp) json_t *page = json_pack("{s:O, s:s?}", "items", items, "next", f != NULL ? last : NULL);
	response_json(response, 200, "application/json", page);
}

void functions_delete(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(problem_clear) struct problem problem = {0};
	const char *ref = request->segments[1];
	struct err err = {0};
	struct uuid id;
	int64_t wanted;

	if (wanted_version(request, &wanted, &problem) < 0) {
		problem_send(&problem, response);
		return;
	}
	if (db_function_delete(w->db, ref, wanted, &id, &err) < 0) {
		db_problem(&problem, &err, ref);
		problem_send(&problem, response);
		return;
	}
	deploy_publish(w, &id, 0);
	log_info("deleted function=%s", ref);
	response_no_content(response);
}
