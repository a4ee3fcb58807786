#include "poolmgr/catalog/version.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "ipc/ipc.h"
#include "poolmgr/catalog/init_payload.h"
#include "poolmgr/catalog/secrets.h"

struct version *versions;
struct version *candidates;

/* The versions of one package, so that a change of its state needs no walk over all versions. */
struct users {
	char *sha256;
	struct version *versions; /* by package_next */
	UT_hash_handle hh;
};

static struct users *users;

static struct users *users_of(const char *sha256)
{
	struct users *u;

	HASH_FIND_STR(users, sha256, u);
	return u;
}

static void add_user(struct version *v)
{
	struct users *u = users_of(v->spec->package_sha256);

	if (u == NULL) {
		u = mem_alloc(sizeof(*u));
		u->sha256 = mem_strdup(v->spec->package_sha256);
		HASH_ADD_KEYPTR(hh, users, u->sha256, strlen(u->sha256), u);
	}
	DL_APPEND2(u->versions, v, package_prev, package_next);
}

static void remove_user(struct version *v)
{
	struct users *u = users_of(v->spec->package_sha256);

	DL_DELETE2(u->versions, v, package_prev, package_next);
	if (u->versions != NULL)
		return;
	HASH_DEL(users, u);
	free(u->sha256);
	free(u);
}

/* Steals spec. The version is in no list yet. */
static int version_new(struct spec *stolen, struct version **version, struct err *err)
{
	AUTO(spec_free) struct spec *spec = stolen;
	struct shape *shape;
	struct uuid id;

	if (!uuid_parse(spec->function_id, &id) || spec->version < 1 || spec->version > INT32_MAX)
		return err_set(err, EINVAL, "function version with a bad id");
	if (MIN(MIN(spec->memory_limit_mb, spec->cpu_millis), MIN(spec->tmp_mb, spec->tmp_inodes)) < 1 ||
	    MIN(MIN(spec->pids, spec->nofile), spec->max_concurrency) < 1) /* Docker takes 0 for no limit */
		return err_set(err, EINVAL, "function version without limits");
	AUTO(mem_free) char *init = init_payload_new(spec, ""); /* only to know its size */
	AUTO(buf_free) struct buf secrets = {0};
	secrets_add(&secrets, spec->environment);
	if (strlen(init) + secrets.len > IPC_MAX_SIZE - 4096)
		return err_set(err, EMSGSIZE, "the function's environment is too large");
	if (shape_for(spec, &shape, err) < 0)
		return -1;

	struct version *v = mem_alloc(sizeof(*v));
	snprintf(v->key, sizeof(v->key), "%s/%d", spec->function_id, (int)spec->version);
	v->function_id = id;
	v->shape = shape;
	v->bytes = sizeof(*v) + strlen(init) + secrets.len; /* the largest parts of spec are in init */
	v->secrets = secrets;
	secrets = (struct buf){0};
	v->spec = TAKE_PTR(spec);
	v->refs = 1;
	add_user(v);
	shape->users++;
	*version = v;
	return 0;
}

/* A candidate that became the stored version. */
static struct version *find_candidate(const char *key, const struct spec *spec)
{
	json_t *wanted = spec_to_json(spec);
	struct version *v, *found = NULL;

	DL_FOREACH (candidates, v) {
		if (strcmp(v->key, key) != 0)
			continue;
		json_t *have = spec_to_json(v->spec);
		if (json_equal(have, wanted))
			found = v;
		json_decref(have);
	}
	json_decref(wanted);
	return found;
}

int version_get_new(struct spec *stolen, struct version **version, struct err *err)
{
	AUTO(spec_free) struct spec *spec = stolen;
	AUTO(mem_free) char *key = mem_printf("%s/%lld", spec->function_id, (long long)spec->version);
	struct version *v;

	HASH_FIND_STR(versions, key, v);
	if (v != NULL) {
		*version = version_ref(v);
		return 0;
	}
	v = find_candidate(key, spec);
	if (v != NULL) {
		DL_DELETE(candidates, v);
		v->candidate = false;
		version_ref(v);
	} else if (version_new(TAKE_PTR(spec), &v, err) < 0) {
		return -1;
	}
	HASH_ADD_STR(versions, key, v);
	*version = v;
	return 0;
}

int version_candidate_new(struct spec *spec, struct version **version, struct err *err)
{
	if (version_new(spec, version, err) < 0)
		return -1;
	(*version)->candidate = true;
	DL_APPEND(candidates, *version);
	return 0;
}

bool version_needs_package(const char *sha256)
{
	const struct users *u = users_of(sha256);
	const struct version *v;

	if (u == NULL)
		return false;
	DL_FOREACH2 (u->versions, v, package_next)
		if (v->waiters != NULL || v->min_warm > v->live)
			return true;
	return false;
}

void version_package_gone(const char *sha256)
{
	const struct users *u = users_of(sha256);
	struct version *v;

	if (u == NULL)
		return;
	DL_FOREACH2 (u->versions, v, package_next)
		if (v->package == PACKAGE_READY)
			v->package = PACKAGE_UNKNOWN;
}

enum version_status version_status(const struct version *v)
{
	return v->candidate ? VERSION_TRIAL : v->stale ? VERSION_SUPERSEDED : VERSION_CURRENT;
}

const char *version_status_name(enum version_status status)
{
	static const char *const names[VERSION_STATUS_COUNT] = {
		[VERSION_TRIAL] = "trial", [VERSION_CURRENT] = "current", [VERSION_SUPERSEDED] = "superseded"};

	return names[status];
}

bool version_is_single_use(const struct version *v)
{
	return strcmp(v->spec->isolation, "per_invocation") == 0;
}

struct version *version_ref(struct version *v)
{
	v->refs++;
	return v;
}

void version_unref(struct version **version)
{
	struct version *v = *version;

	*version = NULL;
	if (v == NULL || --v->refs > 0)
		return;
	assert(v->waiters == NULL && v->idle == NULL && v->live == 0 && !v->hungry && !v->collided && v->min_warm == 0);
	remove_user(v);
	if (v->candidate)
		DL_DELETE(candidates, v);
	else
		HASH_DEL(versions, v);
	v->shape->users--;
	spec_free(&v->spec);
	buf_free(&v->secrets);
	free(v);
}
