#include "poolmgr/catalog/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "poolmgr/catalog/store.h"

/* What is remembered. Beyond that, what was asked for longest ago is asked of PostgreSQL again. */
#define REFS_MAX       4096
#define REFS_BYTES_MAX (UINT64_C(64) << 20)

/* "<name or id>@<number>" → version. Only what exists is remembered. */
struct ref {
	char *text;
	struct version *version;
	struct ref *prev, *next; /* by_use */
	UT_hash_handle hh;
};

struct asker {
	resolve_fn done;
	void *arg;
	struct asker *next;
};

/* A lookup under way. */
struct lookup {
	char *text; /* as in struct ref */
	char *ref;
	uint32_t number;
	uint64_t epoch; /* when it was asked: an older answer is not believed */
	struct asker *askers;
	UT_hash_handle hh;
};

static struct ref *refs;
static struct ref *by_use; /* the same: longest unused first */
static size_t refs_bytes;
static struct lookup *lookups;
static uint64_t epoch; /* counts invalidations */

static void forget(struct ref *r)
{
	refs_bytes -= r->version->bytes;
	HASH_DEL(refs, r);
	DL_DELETE(by_use, r);
	version_unref(&r->version);
	free(r->text);
	free(r);
}

static void remember(const char *text, struct version *v)
{
	struct ref *r = mem_alloc(sizeof(*r));

	r->text = mem_strdup(text);
	r->version = version_ref(v);
	refs_bytes += v->bytes;
	HASH_ADD_KEYPTR(hh, refs, r->text, strlen(r->text), r);
	DL_APPEND(by_use, r);
	while (by_use != r && (HASH_COUNT(refs) > REFS_MAX || refs_bytes > REFS_BYTES_MAX))
		forget(by_use);
}

static void end_lookup(struct lookup *l, const struct err *err, struct version *v)
{
	struct asker *a, *next;

	HASH_DEL(lookups, l);
	LL_FOREACH_SAFE (l->askers, a, next) {
		a->done(err, v, a->arg);
		free(a);
	}
	free(l->text);
	free(l->ref);
	free(l);
}

static void on_looked_up(const struct err *err, struct spec *stored, void *arg)
{
	struct lookup *l = arg;
	AUTO(spec_free) struct spec *spec = stored;
	AUTO(version_unref) struct version *v = NULL;
	struct err bad;

	if (err == NULL && l->epoch != epoch) {
		/* Something changed while PostgreSQL was answering. */
		l->epoch = epoch;
		store_lookup(l->ref, l->number, on_looked_up, l);
		return;
	}
	if (err == NULL && spec != NULL) {
		if (version_get_new(TAKE_PTR(spec), &v, &bad) < 0)
			err = &bad;
		else
			remember(l->text, v);
	}
	end_lookup(l, err, v);
}

void resolve(const char *name, uint32_t number, resolve_fn done, void *arg)
{
	char canonical[UUID_TEXT_SIZE];
	struct uuid id;
	struct lookup *l;
	struct ref *r;

	if (uuid_parse(name, &id)) { /* which has many spellings, each good for an entry in the cache */
		uuid_format(&id, canonical);
		name = canonical;
	}
	AUTO(mem_free) char *text = mem_printf("%s@%u", name, number);

	HASH_FIND_STR(refs, text, r);
	if (r != NULL) {
		DL_DELETE(by_use, r);
		DL_APPEND(by_use, r);
		done(NULL, r->version, arg);
		return;
	}
	struct asker *a = mem_alloc(sizeof(*a));
	a->done = done;
	a->arg = arg;
	HASH_FIND_STR(lookups, text, l);
	if (l != NULL) {
		LL_APPEND(l->askers, a);
		return;
	}
	l = mem_alloc(sizeof(*l));
	l->text = TAKE_PTR(text);
	l->ref = mem_strdup(name);
	l->number = number;
	l->epoch = epoch;
	l->askers = a;
	HASH_ADD_KEYPTR(hh, lookups, l->text, strlen(l->text), l);
	store_lookup(l->ref, number, on_looked_up, l);
}

/* Marks v stale when it is an older version of the function. */
static void make_stale(struct version *v, const char *function_id, int64_t version, void (*stale)(struct version *version))
{
	bool older = version == 0 || v->spec->version < version;

	if (!older || v->stale || strcmp(v->spec->function_id, function_id) != 0)
		return;
	AUTO(version_unref) struct version *held = version_ref(v);
	held->stale = true;
	stale(held);
}

void resolve_invalidate(const char *function_id, int64_t version, void (*stale)(struct version *version))
{
	struct version *v, *next_version;
	struct ref *r, *next_ref;

	epoch++;
	HASH_ITER (hh, refs, r, next_ref)
		if (strcmp(r->version->spec->function_id, function_id) == 0 && r->version->spec->version != version)
			forget(r);
	HASH_ITER (hh, versions, v, next_version)
		make_stale(v, function_id, version, stale);
	DL_FOREACH_SAFE (candidates, v, next_version)
		make_stale(v, function_id, version, stale);
}

void resolve_forget_all(void)
{
	struct ref *r, *next;

	epoch++;
	HASH_ITER (hh, refs, r, next)
		forget(r);
}
