/*
 * From names to versions. PostgreSQL is played by this file: it defines what poolmgr/catalog/store.h declares, so that an
 * answer comes when a test says so. Two answers in a certain order are more than a real server can be made to give.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <utlist.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "poolmgr/catalog/init_payload.h"
#include "poolmgr/catalog/resolve.h"
#include "poolmgr/catalog/shape.h"
#include "poolmgr/catalog/store.h"

#define F "0198c0de-0000-7000-8000-000000000001"
#define G "0198c0de-0000-7000-8000-000000000002"

/* ---- The store ---- */

struct question {
	char *ref;
	uint32_t version;
	store_spec_fn done;
	void *arg;
	struct question *next;
};

static struct question *questions;
static int asked;

void store_lookup(const char *ref, uint32_t version, store_spec_fn done, void *arg)
{
	struct question *q = mem_alloc(sizeof(*q));

	q->ref = mem_strdup(ref);
	q->version = version;
	q->done = done;
	q->arg = arg;
	LL_APPEND(questions, q);
	asked++;
}

static struct question take_question(void)
{
	struct question *q = questions, copy;

	assert_non_null(q);
	copy = *q;
	LL_DELETE(questions, q);
	free(q->ref);
	free(q);
	return copy;
}

static struct spec *spec_of(const char *function_id, int version, const char *handler)
{
	struct spec *spec;
	AUTO(spec_free) struct spec *silent = spec_new();
	AUTO(json_decrefp) json_t *json = spec_to_json(silent);
	AUTO(json_decrefp)
	json_t *said = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "function_id",
				 function_id, "name", "f", "version", version, "language", "alpha", "language_version", "1",
				 "runtime", "docker", "handler", handler, "memory_limit_mb", 128, "cpu_millis", 1000, "tmp_mb",
				 64, "tmp_inodes", 16384, "pids", 64, "nofile", 1024, "max_concurrency", 50);

	json_object_update(json, said);
	assert_int_equal(spec_from_json(json, &spec, NULL), 0);
	return spec;
}

/* Answers the oldest question with that version of that function; version 0: there is none. */
static void answer(const char *function_id, int version)
{
	struct question q = take_question();

	q.done(NULL, version != 0 ? spec_of(function_id, version, "main.handler") : NULL, q.arg);
}

static void answer_error(int code)
{
	struct question q = take_question();
	struct err err = {.code = code, .msg = "words of the store"};

	q.done(&err, NULL, q.arg);
}

/* ---- Who asks ---- */

struct outcome {
	int calls;
	int code;    /* of the error; 0: none */
	int version; /* 0: there is none */
	char msg[512];
	struct version *kept; /* a reference, when asked for */
	bool keep;
};

static void on_resolved(const struct err *err, struct version *v, void *arg)
{
	struct outcome *o = arg;

	o->calls++;
	o->code = err ? err->code : 0;
	if (err != NULL)
		snprintf(o->msg, sizeof(o->msg), "%s", err->msg);
	o->version = v ? (int)v->spec->version : 0;
	if (v != NULL && o->keep)
		o->kept = version_ref(v);
}

static int stale_count, stale_version;

static void on_stale(struct version *v)
{
	assert_true(v->stale);
	stale_count++;
	stale_version = (int)v->spec->version;
}

/* ---- Tests ---- */

static void a_name_is_looked_up_once_and_then_known(void **state)
{
	struct outcome first = {0}, second = {0};

	(void)state;
	resolve("f", 0, on_resolved, &first);
	assert_int_equal(first.calls, 0);
	assert_string_equal(questions->ref, "f");
	assert_int_equal(questions->version, 0);
	answer(F, 3);
	assert_int_equal(first.calls, 1);
	assert_int_equal(first.version, 3);
	resolve("f", 0, on_resolved, &second);
	assert_int_equal(second.calls, 1); /* at once */
	assert_int_equal(second.version, 3);
	assert_int_equal(asked, 1);
}

static void those_who_ask_for_the_same_meanwhile_share_one_lookup(void **state)
{
	struct outcome o[5] = {0}, other = {0}, numbered = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		resolve("f", 0, on_resolved, &o[i]);
	resolve("g", 0, on_resolved, &other);
	resolve("f", 2, on_resolved, &numbered);
	assert_int_equal(asked, 3);
	answer(F, 3);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++) {
		assert_int_equal(o[i].calls, 1);
		assert_int_equal(o[i].version, 3);
	}
	assert_int_equal(other.calls + numbered.calls, 0);
	answer(G, 1);
	answer(F, 2);
	assert_int_equal(other.version, 1);
	assert_int_equal(numbered.version, 2);
}

static void every_spelling_of_an_id_is_the_same_id(void **state)
{
	struct outcome o[4] = {0};

	(void)state;
	resolve("0198C0DE-0000-7000-8000-000000000001", 0, on_resolved, &o[0]);
	assert_string_equal(questions->ref, F);
	resolve("0198c0dE-0000-7000-8000-000000000001", 0, on_resolved, &o[1]);
	assert_int_equal(asked, 1);
	answer(F, 1);
	resolve(F, 0, on_resolved, &o[2]);
	resolve("0198C0De-0000-7000-8000-000000000001", 0, on_resolved, &o[3]);
	assert_int_equal(asked, 1);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		assert_int_equal(o[i].version, 1);
}

static void what_does_not_exist_is_asked_for_again_each_time(void **state)
{
	struct outcome first = {0}, second = {0};

	(void)state;
	resolve("f", 0, on_resolved, &first);
	answer(F, 0);
	assert_int_equal(first.calls, 1);
	assert_int_equal(first.code, 0);
	assert_int_equal(first.version, 0);
	resolve("f", 0, on_resolved, &second);
	assert_int_equal(second.calls, 0);
	answer(F, 1);
	assert_int_equal(second.version, 1);
}

static void an_error_is_told_to_all_who_asked_and_not_remembered(void **state)
{
	struct outcome a = {0}, b = {0}, again = {0};

	(void)state;
	resolve("f", 0, on_resolved, &a);
	resolve("f", 0, on_resolved, &b);
	answer_error(ENOTCONN);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 1);
	assert_int_equal(a.code, ENOTCONN);
	assert_string_equal(b.msg, "words of the store");
	resolve("f", 0, on_resolved, &again);
	answer(F, 1);
	assert_int_equal(again.version, 1);
}

static void a_spec_that_makes_no_sense_is_an_error_and_not_remembered(void **state)
{
	struct outcome o = {0};

	(void)state;
	resolve("f", 0, on_resolved, &o);
	answer("no id", 1);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.code, EINVAL);
	assert_int_equal(HASH_COUNT(versions), 0);
}

static void a_lookup_under_way_during_an_invalidation_is_made_again(void **state)
{
	struct outcome before = {0}, after = {0};

	(void)state;
	resolve("f", 0, on_resolved, &before);
	resolve_invalidate(F, 2, on_stale);
	resolve("f", 0, on_resolved, &after); /* joins, and must not get the older answer either */
	answer(F, 1);                         /* as PostgreSQL saw it before the commit */
	assert_int_equal(before.calls + after.calls, 0);
	assert_int_equal(asked, 2);
	answer(F, 2);
	assert_int_equal(before.calls, 1);
	assert_int_equal(before.version, 2);
	assert_int_equal(after.version, 2);
	assert_int_equal(HASH_COUNT(versions), 1);
}

static void an_error_ends_a_lookup_that_would_be_made_again(void **state)
{
	struct outcome o = {0};

	(void)state;
	resolve("f", 0, on_resolved, &o);
	resolve_invalidate(F, 2, on_stale);
	answer_error(ENOTCONN);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.code, ENOTCONN);
	assert_int_equal(asked, 1);
}

static void an_invalidation_forgets_the_older_version_under_every_name(void **state)
{
	static const struct {
		const char *ref;
		uint32_t number;
	} refs[] = {{"f", 0}, {F, 0}, {"f", 1}};
	struct outcome o = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
		resolve(refs[i].ref, refs[i].number, on_resolved, &o);
		answer(F, 1);
	}
	resolve("g", 0, on_resolved, &o);
	answer(G, 1);
	resolve_invalidate(F, 2, on_stale);
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
		struct outcome again = {0};
		resolve(refs[i].ref, refs[i].number, on_resolved, &again);
		assert_int_equal(again.calls, 0);
		answer(F, refs[i].number == 0 ? 2 : 1);
		assert_int_equal(again.version, refs[i].number == 0 ? 2 : 1);
	}
	struct outcome g = {0};
	resolve("g", 0, on_resolved, &g);
	assert_int_equal(g.calls, 1); /* no other function is forgotten */
}

static void an_invalidation_to_the_version_that_is_known_changes_nothing(void **state)
{
	struct outcome o = {.keep = true}, again = {0};

	(void)state;
	resolve("f", 0, on_resolved, &o);
	answer(F, 2);
	resolve_invalidate(F, 2, on_stale);
	assert_int_equal(stale_count, 0);
	assert_false(o.kept->stale);
	resolve("f", 0, on_resolved, &again);
	assert_int_equal(again.calls, 1);
	version_unref(&o.kept);
}

static void only_older_versions_of_the_function_become_stale_each_once(void **state)
{
	struct outcome one = {.keep = true}, three = {.keep = true}, g = {.keep = true};

	(void)state;
	resolve("f", 1, on_resolved, &one);
	answer(F, 1);
	resolve("f", 3, on_resolved, &three);
	answer(F, 3);
	resolve("g", 0, on_resolved, &g);
	answer(G, 1);
	resolve_invalidate(F, 2, on_stale);
	resolve_invalidate(F, 2, on_stale);
	assert_int_equal(stale_count, 1);
	assert_int_equal(stale_version, 1);
	assert_true(one.kept->stale);
	assert_false(three.kept->stale);
	assert_false(g.kept->stale);
	resolve_invalidate(F, 0, on_stale); /* deleted: the rest as well */
	assert_int_equal(stale_count, 2);
	assert_true(three.kept->stale);
	version_unref(&one.kept);
	version_unref(&three.kept);
	version_unref(&g.kept);
}

static void a_version_nobody_refers_to_is_gone(void **state)
{
	struct outcome o = {0};

	(void)state;
	resolve("f", 0, on_resolved, &o);
	answer(F, 1);
	assert_int_equal(HASH_COUNT(versions), 1);
	resolve_invalidate(F, 0, on_stale);
	assert_int_equal(HASH_COUNT(versions), 0);
	assert_int_equal(stale_count, 0); /* there was nothing to tell */
}

static void names_of_one_version_lead_to_one_object(void **state)
{
	struct outcome by_name = {.keep = true}, by_id = {.keep = true};

	(void)state;
	resolve("f", 0, on_resolved, &by_name);
	answer(F, 1);
	resolve(F, 1, on_resolved, &by_id);
	answer(F, 1);
	assert_ptr_equal(by_name.kept, by_id.kept);
	version_unref(&by_name.kept);
	version_unref(&by_id.kept);
}

static void after_everything_is_forgotten_each_name_is_looked_up_again_and_versions_stay(void **state)
{
	struct outcome o = {.keep = true}, again = {.keep = true}, under_way = {0};

	(void)state;
	resolve("f", 0, on_resolved, &o);
	answer(F, 1);
	resolve("g", 0, on_resolved, &under_way);
	resolve_forget_all();
	answer(G, 1); /* changes may have been missed since it was asked */
	assert_int_equal(under_way.calls, 0);
	answer(G, 2);
	assert_int_equal(under_way.version, 2);
	resolve("f", 0, on_resolved, &again);
	assert_int_equal(again.calls, 0);
	answer(F, 1);
	assert_ptr_equal(again.kept, o.kept);
	assert_int_equal(stale_count, 0);
	version_unref(&o.kept);
	version_unref(&again.kept);
}

static struct outcome nested;

static void ask_again(const struct err *err, struct version *v, void *arg)
{
	on_resolved(err, v, arg);
	resolve("f", 0, on_resolved, &nested);
}

static void who_is_told_may_ask_again(void **state)
{
	struct outcome o = {0};

	(void)state;
	nested = (struct outcome){0};
	resolve("f", 0, ask_again, &o);
	answer_error(ENOTCONN);
	assert_int_equal(o.calls, 1);
	assert_int_equal(nested.calls, 0);
	answer(F, 1);
	assert_int_equal(nested.version, 1);
}

/* ---- Candidates ---- */

static struct conf *conf;

static void a_candidate_becomes_the_stored_version_only_when_it_is_the_same_in_everything(void **state)
{
	AUTO(version_unref) struct version *same = NULL;
	AUTO(version_unref) struct version *other = NULL;
	struct outcome o = {.keep = true};
	struct err err;

	(void)state;
	assert_ok(version_candidate_new(spec_of(F, 1, "main.handler"), &same, &err));
	assert_ok(version_candidate_new(spec_of(F, 1, "other.handler"), &other, &err));
	assert_int_equal(HASH_COUNT(versions), 0);
	resolve("f", 0, on_resolved, &o);
	answer(F, 1);
	assert_ptr_equal(o.kept, same);
	assert_false(same->candidate);
	assert_true(other->candidate);
	assert_ptr_equal(candidates, other);
	version_unref(&o.kept);
}

static void candidates_older_than_the_current_version_become_stale(void **state)
{
	AUTO(version_unref) struct version *old = NULL;
	AUTO(version_unref) struct version *current = NULL;
	struct err err;

	(void)state;
	assert_ok(version_candidate_new(spec_of(F, 1, "main.handler"), &old, &err));
	assert_ok(version_candidate_new(spec_of(F, 2, "main.handler"), &current, &err));
	resolve_invalidate(F, 2, on_stale);
	assert_true(old->stale);
	assert_false(current->stale);
	resolve_invalidate(F, 0, on_stale);
	assert_true(current->stale);
}

static void a_spec_with_a_bad_id_or_version_or_a_language_that_is_not_there_is_refused(void **state)
{
	struct version *v = NULL;
	struct spec *spec;
	struct err err;

	(void)state;
	assert_fails(version_candidate_new(spec_of(F, 0, "main.handler"), &v, &err), "bad id");
	assert_fails(version_candidate_new(spec_of(F, -1, "main.handler"), &v, &err), "bad id");
	spec = spec_of(F, 1, "main.handler");
	spec->function_id[0] = 'x';
	assert_fails(version_candidate_new(spec, &v, &err), "bad id");
	spec = spec_of(F, 1, "main.handler");
	spec->language[0] = 'x';
	assert_fails(version_candidate_new(spec, &v, &err), "there is no language 'xlpha'");
	spec = spec_of(F, 1, "main.handler");
	spec->language_version[0] = '2';
	assert_fails(version_candidate_new(spec, &v, &err), "there is no version '2' of alpha");
	assert_null(candidates);
	assert_null(v);
}

static void an_environment_that_fits_no_message_is_refused(void **state)
{
	struct version *v = NULL;
	struct spec *spec = spec_of(F, 1, "main.handler");
	char *large = mem_alloc(130001);
	struct err err;

	(void)state;
	memset(large, 'x', 130000);
	json_object_set_new(spec->environment, "LARGE", json_string(large));
	free(large);
	assert_fails(version_candidate_new(spec, &v, &err), "environment is too large");
}

static struct language_version only = {.name = "1", .label = "alpha-1"};
static struct language alpha = {.versions = &only, .default_version = &only};

static int set_up(void **state)
{
	(void)state;
	if (conf_load_file(NULL, &conf, NULL) < 0)
		return -1;
	alpha.name = mem_strdup("alpha");
	alpha.min_memory_mb = 64;
	shape_init(conf, &alpha);
	init_payload_set_conf(conf);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(alpha.name);
	conf_free(&conf);
	return 0;
}

static int each(void **state)
{
	(void)state;
	asked = stale_count = stale_version = 0;
	return 0;
}

static int nothing_is_left(void **state)
{
	(void)state;
	assert_null(questions);
	resolve_forget_all();
	assert_int_equal(HASH_COUNT(versions), 0);
	assert_null(candidates);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, nothing_is_left)
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_looked_up_once_and_then_known),
		TEST(those_who_ask_for_the_same_meanwhile_share_one_lookup),
		TEST(every_spelling_of_an_id_is_the_same_id),
		TEST(what_does_not_exist_is_asked_for_again_each_time),
		TEST(an_error_is_told_to_all_who_asked_and_not_remembered),
		TEST(a_spec_that_makes_no_sense_is_an_error_and_not_remembered),
		TEST(a_lookup_under_way_during_an_invalidation_is_made_again),
		TEST(an_error_ends_a_lookup_that_would_be_made_again),
		TEST(an_invalidation_forgets_the_older_version_under_every_name),
		TEST(an_invalidation_to_the_version_that_is_known_changes_nothing),
		TEST(only_older_versions_of_the_function_become_stale_each_once),
		TEST(a_version_nobody_refers_to_is_gone),
		TEST(names_of_one_version_lead_to_one_object),
		TEST(after_everything_is_forgotten_each_name_is_looked_up_again_and_versions_stay),
		TEST(who_is_told_may_ask_again),
		TEST(a_candidate_becomes_the_stored_version_only_when_it_is_the_same_in_everything),
		TEST(candidates_older_than_the_current_version_become_stale),
		TEST(a_spec_with_a_bad_id_or_version_or_a_language_that_is_not_there_is_refused),
		TEST(an_environment_that_fits_no_message_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
