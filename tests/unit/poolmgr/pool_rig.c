#include "tests/unit/poolmgr/pool_rig.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/catalog/init_payload.h"
#include "poolmgr/catalog/resolve.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/messages.h"
#include "poolmgr/node/client.h"
#include "poolmgr/node/egress.h"
#include "poolmgr/node/headroom.h"
#include "poolmgr/package/package.h"
#include "poolmgr/pool/pool.h"
#include "poolmgr/reconcile.h"
#include "poolmgr/sandbox/cgroup.h"
#include "poolmgr/sandbox/image.h"
#include "poolmgr/sandbox/postmortem.h"
#include "poolmgr/sandbox/renewal.h"
#include "poolmgr/sandbox/shim.h"
#include "poolmgr/sandbox/stray.h"
#include "poolmgr/stats.h"

static int listen_fd = -1;
static int fds_before;
struct scoreboard *pool_rig_board;

static void on_up(void *arg)
{
	(void)arg;
	reconcile_now();
}

static void on_down(void *arg)
{
	(void)arg;
	pool_on_engine_down();
}

static void on_died(const char *sandbox_id, int exit_code, void *arg)
{
	struct sandbox *s = sandbox_find(sandbox_id);

	(void)arg;
	if (s != NULL)
		sandbox_died(s, exit_code);
}

static const struct sandbox_hooks sandbox_hooks = {pool_on_spare, pool_on_start_failed, pool_on_gone, pool_on_dead};

static const struct client_hooks client_hooks = {messages_take, messages_client_gone};

static const struct image_hooks image_hooks = {renewal_adopt, renewal_begin};

static const struct store_hooks store_hooks = {pool_invalidate, pool_on_store_connected};

/* The users that may connect as invoke and as control workers: both are this one. */
static uid_t clients[INHERITED_CLIENTS];

void pool_rig_start(const char *conninfo)
{
	struct err err;
	int board_fd;

	free(rig.conf->database_conninfo);
	rig.conf->database_conninfo = mem_strdup(conninfo ? conninfo : "host=/nonexistent");
	rig.pass_on = (struct docker_events){.up = on_up, .down = on_down, .died = on_died};
	rig_init_sandboxes(&sandbox_hooks);
	assert_ok(package_init(rig.loop, rig.conf, &err));
	store_init(rig.loop, rig.conf, &store_hooks);
	shape_init(rig.conf, rig.languages);
	init_payload_set_conf(rig.conf);
	image_init(rig.docker, rig.languages, &image_hooks);
	egress_directory = rig.dir;
	pool_init(rig.loop, rig.conf, rig.docker);
	headroom_init("/nonexistent"); /* however busy this machine is */
	shim_init(rig.loop, rig.conf);
	reconcile_init(rig.conf, rig.docker);
	assert_ok(scoreboard_create(POOL_RIG_SLOTS, &pool_rig_board, &board_fd, &err));
	close(board_fd);
	stats_init(rig.conf, rig.docker, pool_rig_board);
	postmortem_init(rig.docker);
	cgroup_init(rig.loop, -1);
	int dir_fd = open(rig.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	listen_fd = fd_listen_unix(dir_fd, "poolmgr.sock", SOCK_SEQPACKET | SOCK_NONBLOCK, 0600, 64, &err);
	close(dir_fd);
	assert_true(listen_fd >= 0);
	for (int i = 0; i < INHERITED_CLIENTS; i++)
		clients[i] = geteuid();
	client_init(rig.loop, rig.conf, listen_fd, clients, &client_hooks);
	if (conninfo != NULL)
		WAIT_FOR(store_is_up());
	egress_tick(clock_mono_us()); /* finds out which networks for egress there are */
	threads_settle();             /* the survey of packages has ended then */
}

void pool_rig_egress(const char *text)
{
	AUTO(mem_free) char *directory = mem_printf("%s/%s", rig.dir, rig.conf->master_instance);
	AUTO(mem_free) char *path = mem_printf("%s/state", directory);

	unlink(path);
	if (text != NULL) {
		mkdir(directory, 0755);
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		fputs(text, file);
		fclose(file);
	}
	egress_tick(clock_mono_us());
}

void pool_rig_stop(void)
{
	rig.tick = NULL;
	client_deinit();
	fd_close(&listen_fd);
	scoreboard_close(&pool_rig_board);
}

/* The connection to PostgreSQL may open and close. */
static int open_fds(void)
{
	return rig_open_fds() - store_is_up();
}

int pool_rig_set_up(void **state)
{
	(void)state;
	rig_start();
	pool_rig_start(NULL);
	return 0;
}

int pool_rig_tear_down(void **state)
{
	(void)state;
	pool_rig_stop();
	rig_stop();
	return 0;
}

int pool_rig_each(void **state)
{
	struct shape *s;

	(void)state;
	rig_reset();
	DL_FOREACH (shapes, s) {
		shape_start_succeeded(s);
		s->forecast = (struct forecast){0};
	}
	rig.tick = pool_tick;
	rig_barrier();
	threads_settle(); /* a thread may still have a directory open that is being removed */
	fds_before = open_fds();
	return 0;
}

/* The shapes of a test's functions are gone: they would have spares in the next test. */
static bool only_default_shapes(void)
{
	struct shape *s;

	DL_FOREACH (shapes, s)
		if (!s->always)
			return false;
	return true;
}

int pool_rig_nothing_leaks(void **state)
{
	struct sandbox *s, *next;

	(void)state;
	rig.tick = pool_tick;
	worker_close_all();
	threads_go_on();
	WAIT_FOR(client_count() == 0);
	WAIT_FOR(pool_waiting() == 0);
	rig.conf->pool_min_spares = rig.conf->pool_max_spares = 0;
	fake_docker_reset(rig.engine);
	image_init(rig.docker, rig.languages, &image_hooks);
	for (int alive = 0; alive < SANDBOX_DYING; alive++)
		DL_FOREACH_SAFE (sandbox_lists[alive], s, next)
			sandbox_kill(s, COUNT_KILL_USED_UP);
	WAIT_FOR(sandbox_total() == 0 && stray_count() == 0);
	WAIT_FOR(fake_docker_count(rig.engine) == 0);
	assert_int_equal(rig_count_names("sandboxes"), 0);
	resolve_forget_all();
	WAIT_FOR(HASH_COUNT(versions) == 0);
	WAIT_FOR(candidates == NULL);
	WAIT_FOR(only_default_shapes());
	WAIT_FOR(open_fds() == fds_before);
	rig.tick = NULL;
	return 0;
}

/* ---- Functions ---- */

void function_set_code(struct function *f, const char *code)
{
	buf_reset(&f->archive);
	archive_make_one(code, &f->archive);
	archive_hash(&f->archive, f->sha256);
}

struct function function_new(const char *code)
{
	static int number;
	struct uuid id = uuid_new();
	struct function f = {.version = 1,
			     .language = "alpha",
			     .runtime = "docker",
			     .network = "none",
			     .isolation = "per_function",
			     .memory_limit_mb = 128,
			     .pids = 64,
			     .max_concurrency = 50};

	uuid_format(&id, f.id);
	snprintf(f.name, sizeof(f.name), "function-%d", ++number);
	function_set_code(&f, code);
	return f;
}

void function_free(struct function *f)
{
	buf_free(&f->archive);
}

json_t *function_spec(const struct function *f)
{
	AUTO(spec_free) struct spec *silent = spec_new();
	json_t *spec = spec_to_json(silent);
	AUTO(json_decrefp)
	json_t *said = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:{s:s}, s:s, s:s, s:i, s:i, s:s}", "function_id", f->id,
				 "name", f->name, "version", f->version, "language", f->language, "language_version", "1",
				 "runtime", f->runtime, "handler", "main.handler", "environment", "GREETING", "hello",
				 "network", f->network, "isolation", f->isolation, "max_concurrency", f->max_concurrency,
				 "min_warm", f->min_warm, "package_sha256", f->sha256);
	AUTO(json_decrefp)
	json_t *limits = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "timeout_ms", 3000, "init_timeout_ms",
				   4000, "memory_limit_mb", f->memory_limit_mb, "cpu_millis", 1000, "tmp_mb", 64, "tmp_inodes",
				   16384, "pids", f->pids, "nofile", 1024, "response_bytes", 5000000, "log_bytes", 200000);

	json_object_update(spec, said);
	json_object_update(spec, limits);
	return spec;
}

struct grant check_function(struct worker *w, const struct function *f)
{
	struct grant g = worker_granted(w, worker_check(w, function_spec(f), &f->archive));

	worker_close_fds(&g);
	return g;
}

void worker_check_at_once(const struct worker *w, const struct function *f)
{
	json_t *json = function_spec(f);
	AUTO(mem_free) char *spec = json_dumps(json, 0);
	AUTO(fd_close) int fd = memfd_create("package", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct ipc_msg m = {.type = IPC_CHECK,
			    .check = {.seq = 1,
				      .spec = STR(spec),
				      .deadline_us = (uint64_t)(clock_mono_us() + 2 * RIG_TIMEOUT_US),
				      .request_id = STR("")},
			    .fds = {fd, -1, -1, -1, -1, -1}};
	struct err err;

	json_decref(json);
	assert_int_equal(write(fd, f->archive.data, f->archive.len), f->archive.len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	assert_ok(ipc_send(w->fd, &m, &err));
}

struct shape *default_shape(void)
{
	struct shape *s;

	DL_FOREACH (shapes, s)
		if (s->always && strcmp(s->key.language_version->label, "alpha-1") == 0)
			return s;
	fail_msg("there is no default shape");
	return NULL;
}
