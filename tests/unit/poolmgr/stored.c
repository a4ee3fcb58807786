#include "tests/unit/poolmgr/stored.h"

#include <utlist.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/poolmgr/fake_warden.h"

int stored_set_up(void **state)
{
	pg_group_start(state);
	pg_scratch_reset(pg);
	AUTO(conf_free) struct conf *conf = pg_scratch_conf(pg);
	rig_start();
	pool_rig_start(conf->database_conninfo);
	return 0;
}

int stored_tear_down(void **state)
{
	pool_rig_tear_down(state);
	return pg_group_stop(state);
}

int stored_each(void **state)
{
	pg_scratch_exec(pg, "select 1"); /* its connection is open, whatever happened to the server */
	return pool_rig_each(state);
}

int stored_nothing_leaks(void **state)
{
	pg_scratch_exec(pg, "select 1");
	fake_warden_stop();
	return pool_rig_nothing_leaks(state);
}

/* ---- Functions in PostgreSQL ---- */

void deploy(const struct function *f)
{
	AUTO(mem_free) char *hex = mem_alloc(f->archive.len * 2 + 1);

	for (size_t i = 0; i < f->archive.len; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)f->archive.data[i]);
	pg_scratch_exec(
		pg,
		"begin;"
		"insert into packages (sha256, archive, size) values ('%s', '\\x%s', %zu) on conflict do nothing;"
		"insert into functions (function_id, name, version) values ('%s', '%s', %d)"
		" on conflict (function_id) do update set version = excluded.version;"
		"insert into function_versions (function_id, version, language, language_version, runtime, handler, "
		"environment, timeout_ms,"
		" init_timeout_ms, memory_limit_mb, cpu_millis, tmp_mb, tmp_inodes, pids, nofile, response_bytes, log_bytes,"
		" network, isolation, max_concurrency, min_warm, package_sha256) values ('%s', %d, '%s', '1', '%s',"
		" 'main.handler',"
		" '{\"GREETING\": \"hello\"}', 3000, 4000, %d, 1000, 64, 16384, %d, 1024, 5000000, 200000, '%s', '%s', %d, %d,"
		" '%s');"
		"commit",
		f->sha256, hex, f->archive.len, f->id, f->name, f->version, f->id, f->version, f->language, f->runtime,
		f->memory_limit_mb, f->pids, f->network, f->isolation, f->max_concurrency, f->min_warm, f->sha256);
}

void deploy_code(struct function *f, const char *code)
{
	f->version++;
	function_set_code(f, code);
	deploy(f);
}

void drop(const struct function *f)
{
	pg_scratch_exec(pg, "update functions set version = null, status = 'deleted' where function_id = '%s'", f->id);
}

struct function deployed(const char *code)
{
	struct function f = function_new(code);

	deploy(&f);
	return f;
}

/* ---- Looking at sandboxes ---- */

void assert_code_is(const struct grant *g, const char *code)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s/berth/function/main.x", rig.dir, g->sandbox_id);
	AUTO(mem_free) char *text = NULL;
	struct err err;

	assert_ok(fd_read_file(path, 4096, &text, NULL, &err));
	assert_string_equal(text, code);
}

bool is_gone(const struct grant *g)
{
	return sandbox_find(g->sandbox_id) == NULL;
}

enum sandbox_state state_of(const struct grant *g)
{
	const struct sandbox *s = sandbox_find(g->sandbox_id);

	return s ? s->state : SANDBOX_GONE;
}

void assert_recalled(struct worker *w, const struct grant *g)
{
	worker_assert_silent(w);
	assert_int_equal(w->recalls, 1);
	assert_int_equal(w->recalled[0], g->lease_id);
	w->recalls = 0;
}

void assert_not_recalled(struct worker *w)
{
	worker_assert_silent(w);
	assert_int_equal(w->recalls, 0);
}

const struct shape *shape_of(int64_t memory_mb)
{
	const struct shape *s;

	DL_FOREACH (shapes, s)
		if (s->key.memory_mb == memory_mb)
			return s;
	return NULL;
}

void wait_for_spares(int count)
{
	WAIT_FOR(default_shape()->spare_count == count);
}

struct grant warm_up(struct worker *w, const char *function)
{
	struct grant g = worker_take(w, function);

	worker_release(w, g.lease_id, false);
	WAIT_FOR(state_of(&g) == SANDBOX_IDLE);
	return g;
}
