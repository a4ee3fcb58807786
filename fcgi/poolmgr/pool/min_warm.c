#include "poolmgr/pool/min_warm.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/catalog/resolve.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/package/fetch.h"
#include "poolmgr/pool/demand.h"
#include "poolmgr/pool/serve.h"
#include "poolmgr/sandbox/sandbox.h"

#define ASK_AGAIN_US   5000000 /* pause after an error */
#define RETRY_FIRST_US 1000000
#define RETRY_MOST_US  300000000
#define SETTLED_US     1000000 /* a sandbox that ends sooner counts as a failure to load the code */
#define PROBLEMS_MAX   20      /* the maximum number of problems reported */

/* A function with min_warm > 0. */
struct kept {
	char id[UUID_TEXT_SIZE];
	struct version *version; /* holds a reference; NULL: not known yet */
	bool listed;             /* it is in the latest list */
	int lookups;             /* number of lookups that refer to it */
	UT_hash_handle hh;       /* by id */
};

static struct kept *all;
static enum { KNOWN, ASKED, OUTDATED } list = KNOWN; /* OUTDATED: the list is being asked for and must be asked for again */
static int64_t ask_again_us;                         /* when to ask again; 0: not needed */

static const struct conf *conf;
static struct version *held; /* of those, the versions with keep > 0; at most as many as there may be sandboxes */
static bool unallotted;      /* the shares must be computed again */
static int64_t short_by;     /* number of sandboxes that min_warm asks for and that exceed the limit */

static void ask(void);

/* ---- Which versions are kept ---- */

/* Puts the version on the lists of kept versions, or removes it. */
static void set_share(struct version *v, int count)
{
	if (v->min_warm > 0 && count == 0) {
		DL_DELETE2(v->shape->kept, v, kept_prev, kept_next);
		DL_DELETE2(held, v, held_prev, held_next);
	}
	if (v->min_warm == 0 && count > 0) {
		DL_APPEND2(v->shape->kept, v, kept_prev, kept_next);
		DL_APPEND2(held, v, held_prev, held_next);
	}
	v->min_warm = count;
}

/* Computes how many sandboxes each version may keep. */
static void allot(void)
{
	int64_t sandboxes = conf_warm_sandboxes(conf), memory_mb = conf_warm_memory_mb(conf), missing = 0;
	const struct kept *k, *next;

	unallotted = false;
	HASH_ITER (hh, all, k, next) {
		struct version *v = k->version;
		if (v == NULL)
			continue;
		set_share(v, (int)MIN(v->spec->min_warm, MIN(sandboxes, memory_mb / v->spec->memory_limit_mb)));
		sandboxes -= v->min_warm;
		memory_mb -= v->min_warm * v->spec->memory_limit_mb;
		missing += v->spec->min_warm - v->min_warm;
	}
	if (missing > short_by)
		log_warn("%lld fewer sandboxes than min_warm are kept: pool.min_warm_percent limits all functions together",
			 (long long)missing);
	short_by = missing;
}

static void set_version(struct kept *k, struct version *v)
{
	struct version *before = k->version;

	if (v == before)
		return;
	if (before != NULL) {
		set_share(before, 0);
		version_unref(&k->version);
	}
	if (v != NULL)
		k->version = version_ref(v);
	unallotted = true;
}

static void free_unless_looked_up(struct kept *k)
{
	if (k->listed || k->lookups > 0)
		return;
	HASH_DEL(all, k);
	free(k);
}

static void on_resolved(const struct err *err, struct version *v, void *arg)
{
	struct kept *k = arg;

	k->lookups--;
	if (err != NULL) {
		log_warn("min_warm of function %s: %s", k->id, err->msg);
		ask_again_us = clock_mono_us() + ASK_AGAIN_US;
	} else if (k->listed) {
		set_version(k, v != NULL && v->spec->min_warm > 0 ? v : NULL);
	}
	free_unless_looked_up(k);
}

static int by_id(const struct kept *a, const struct kept *b)
{
	return strcmp(a->id, b->id);
}

static struct kept *find_or_add(const struct uuid *uuid)
{
	struct kept *k;
	char id[UUID_TEXT_SIZE];

	uuid_format(uuid, id);
	HASH_FIND_STR(all, id, k);
	if (k != NULL)
		return k;
	k = mem_alloc(sizeof(*k));
	memcpy(k->id, id, sizeof(id));
	HASH_ADD_STR(all, id, k);
	return k;
}

static void take_list(const char *ids, size_t len)
{
	struct kept *k, *next;
	struct uuid id;

	HASH_ITER (hh, all, k, next)
		k->listed = false;
	for (size_t at = 0; at + sizeof(id) <= len; at += sizeof(id)) {
		memcpy(&id, ids + at, sizeof(id));
		find_or_add(&id)->listed = true;
	}
	HASH_SORT(all, by_id);
	HASH_ITER (hh, all, k, next) {
		if (k->listed) {
			k->lookups++;
			resolve(k->id, 0, on_resolved, k);
		} else {
			set_version(k, NULL);
			free_unless_looked_up(k);
		}
	}
}

static void on_list(const struct err *err, const char *data, size_t len, void *arg)
{
	bool again = list == OUTDATED;

	(void)arg;
	list = KNOWN;
	if (err != NULL) {
		ask_again_us = clock_mono_us() + ASK_AGAIN_US; /* or at once when PostgreSQL is back */
		return;
	}
	if (again) {
		ask();
		return;
	}
	take_list(data, len);
}

static void ask(void)
{
	list = ASKED;
	ask_again_us = 0;
	store_kept(on_list, NULL);
}

void min_warm_refresh(void)
{
	if (list == KNOWN && store_is_up())
		ask();
	else if (list != KNOWN)
		list = OUTDATED;
}

/* ---- Keeping them ---- */

void min_warm_failed(struct version *v, const char *why)
{
	int64_t now_us = clock_mono_us();

	if (v->min_warm == 0)
		return;
	if (now_us - v->min_warm_failed_us > 2 * RETRY_MOST_US)
		v->min_warm_failures = 0;
	int64_t pause_us = MIN(RETRY_FIRST_US << MIN(v->min_warm_failures, 10), RETRY_MOST_US);
	v->min_warm_failures++;
	v->min_warm_failed_us = now_us;
	v->min_warm_retry_us = now_us + pause_us;
	snprintf(v->min_warm_problem, sizeof(v->min_warm_problem), "%s", why);
	log_warn("%s: cannot be kept warm: %s; tried again in %lld s", v->key, why, (long long)pause_us / 1000000);
}

void min_warm_on_warm(struct sandbox *s, const char *why)
{
	AUTO(version_unref) struct version *v = version_ref(s->version);

	if (why != NULL) {
		sandbox_kill(s, COUNT_KILL_INIT_ERROR);
		min_warm_failed(v, why);
		return;
	}
	s->initialised = true;
	v->min_warm_problem[0] = '\0';
	sandbox_set_state(s, SANDBOX_IDLE);
	serve_queue(v);
}

void min_warm_on_dead(struct sandbox *s)
{
	if (s->state == SANDBOX_IDLE && clock_mono_us() - s->since_us < SETTLED_US)
		min_warm_failed(s->version, "the sandbox ended right after its code was loaded");
}

static void supply(struct version *v, int64_t now_us)
{
	if (demand_kept(v, now_us) > 0)
		fetch_package(v);
	while (v->package == PACKAGE_READY && v->shape->spares != NULL && demand_kept(v, now_us) > 0)
		serve_assign(v, v->shape->spares);
}

void min_warm_tick(int64_t now_us)
{
	struct version *v, *next;

	if (ask_again_us != 0 && now_us >= ask_again_us)
		min_warm_refresh();
	if (unallotted)
		allot();
	DL_FOREACH_SAFE2 (held, v, next, held_next)
		supply(v, now_us);
}

/* Returns NULL when there is none. */
static json_t *problem_json(const struct version *v)
{
	char few[160];

	snprintf(few, sizeof(few),
		 "min_warm is %lld, but only %d are kept: pool.min_warm_percent limits all functions together",
		 (long long)v->spec->min_warm, v->min_warm);
	if (v->min_warm_problem[0] == '\0' && v->min_warm >= v->spec->min_warm)
		return NULL;
	return json_pack("{s:s, s:s, s:s}", "function", v->spec->function_id, "name", v->spec->name, "problem",
			 v->min_warm_problem[0] != '\0' ? v->min_warm_problem : few);
}

json_t *min_warm_json(void)
{
	json_t *problems = json_array();
	int functions = 0, wanted = 0, live = 0;
	const struct kept *k, *next;

	if (unallotted) /* so that shares that are not computed yet do not count as missing */
		allot();
	HASH_ITER (hh, all, k, next) {
		const struct version *v = k->version;
		functions++;
		if (v == NULL)
			continue;
		wanted += v->min_warm;
		live += MIN(v->live, v->min_warm);
		json_t *problem = json_array_size(problems) < PROBLEMS_MAX ? problem_json(v) : NULL;
		if (problem != NULL)
			json_array_append_new(problems, problem);
	}
	return json_pack("{s:i, s:i, s:i, s:o}", "functions", functions, "wanted", wanted, "live", live, "problems", problems);
}

void min_warm_set_conf(const struct conf *c)
{
	conf = c;
	unallotted = true;
}
