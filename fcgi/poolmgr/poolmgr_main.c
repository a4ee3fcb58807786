/*
 * poolmgr: the only process with the Docker socket, and the single owner of all pool state.
 *
 * The master starts one. It cleans up after an earlier poolmgr (reconcile.c), keeps sandboxes ready and leases them to workers
 * until the master sends SIGTERM or is gone; then it removes every sandbox and exits. Invocations that are still running then
 * have master.stop_timeout_ms to end: a master that stops waits for the workers first, but one that was killed does not. When
 * poolmgr crashes, the workers' invocations continue; the workers name their sandboxes to the next poolmgr, and all others are
 * removed.
 *
 * It is one event loop. No callback waits for another process. Work on files is done in threads (poolmgr/node/work.h), except
 * single calls on directories, which may have to wait for the file system's journal (README.md).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/language.h"
#include "engine/docker.h"
#include "ipc/heartbeat.h"
#include "ipc/inherited.h"
#include "ipc/scoreboard.h"
#include "poolmgr/catalog/init_payload.h"
#include "poolmgr/catalog/shape.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/messages.h"
#include "poolmgr/node/client.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/node/watch.h"
#include "poolmgr/package/package.h"
#include "poolmgr/pool/pool.h"
#include "poolmgr/reconcile.h"
#include "poolmgr/sandbox/bill.h"
#include "poolmgr/sandbox/boot.h"
#include "poolmgr/sandbox/freezer.h"
#include "poolmgr/sandbox/image.h"
#include "poolmgr/sandbox/postmortem.h"
#include "poolmgr/sandbox/renewal.h"
#include "poolmgr/sandbox/sandbox.h"
#include "poolmgr/sandbox/shim.h"
#include "poolmgr/sandbox/stray.h"
#include "poolmgr/stats.h"

/* How long removing all sandboxes at the end may take; the next poolmgr removes the rest. */
#define STOP_US           15000000
#define IMAGE_PERIOD_US   10000000
#define PUBLISH_PERIOD_US 1000000
#define READY_AFTER_US    5000000 /* poolmgr is ready at the latest after this time, even without spares */

static uv_loop_t *loop;
static struct conf *reloaded; /* the latest configuration read at SIGHUP; owned */
static struct docker *docker;
static struct language *languages;
static uv_timer_t tick_timer;
static uv_signal_t signals[3];
static struct slot *slot;
static const struct conf *conf;  /* in force */
static int64_t revoke_us;        /* stopping: when leased sandboxes are killed */
static int64_t stop_deadline_us; /* 0: not stopping */
static int64_t images_us;
static int64_t publish_us;
static int64_t ready_deadline_us;

static void set_conf(const struct conf *c)
{
	conf = c;
	shape_set_conf(conf);
	init_payload_set_conf(conf);
	package_set_conf(conf);
	boot_set_conf(conf);
	freezer_set_conf(conf);
	docker_set_conf(docker, conf);
	store_set_conf(conf);
	pool_set_conf(conf);
	shim_set_conf(conf);
	reconcile_set_conf(conf);
	client_set_conf(conf);
	bill_set_conf(conf);
	log_init("poolmgr", (enum log_level)log_level_parse(conf->log_level));
}

static void reload(void)
{
	struct conf *next;
	struct err err;

	if (conf_load_fd(INHERITED_CONF_FD, &next, &err) < 0) {
		log_error("keeps its settings: %s", err.msg);
		return;
	}
	set_conf(next);
	conf_free(&reloaded);
	reloaded = next;
	log_info("settings reloaded");
}

static void stop(const char *why)
{
	if (stop_deadline_us != 0)
		return;
	log_info("stopping: %s", why);
	slot->state = SLOT_STOPPING;
	revoke_us = clock_mono_us() + conf->master_stop_timeout_ms * 1000;
	stop_deadline_us = clock_mono_us() + STOP_US;
	pool_stop();
	reconcile_stop();
}

static void stop_tick(int64_t now_us)
{
	sandbox_tick(now_us);
	bill_tick(now_us, true);
	if (sandbox_counts[SANDBOX_LEASED] > 0) {
		stop_deadline_us = now_us + STOP_US;
		if (now_us >= revoke_us)
			pool_revoke();
	}
	if ((sandbox_total() == 0 && reconcile_is_over() && !bill_is_pending()) || now_us > stop_deadline_us) {
		log_info("stopped, %d sandboxes left", sandbox_total());
		exit(0);
	}
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)handle;
	if (number == SIGHUP)
		reload();
	else if (number == SIGQUIT)
		exit(0);
	else
		stop("SIGTERM");
}

/* The life pipe is never written to, so it is readable only when the master is gone. */
static void on_master_gone(int events, void *arg)
{
	struct watch **watch = arg;

	(void)events;
	watch_free(watch);
	stop("the master is gone");
}

/*
 * poolmgr reports ready when there are sandboxes to lease, so that taking over from an earlier poolmgr causes no cold starts.
 */
static void say_ready(int64_t now_us)
{
	bool waits = docker_is_unknown(docker) || !pool_is_settled() || (docker_is_up(docker) && !image_all_known());

	if (slot->state != SLOT_STARTING || (now_us < ready_deadline_us && waits))
		return;
	slot->state = SLOT_IDLE;
	log_info("ready");
}

static void on_tick(uv_timer_t *timer)
{
	int64_t now_us = clock_mono_us();

	(void)timer;
	heartbeat_now();
	if (stop_deadline_us != 0) {
		stop_tick(now_us);
		return;
	}
	pool_tick(now_us);
	say_ready(now_us);
	reconcile_tick(now_us);
	bill_tick(now_us, false);
	if (now_us >= publish_us) {
		publish_us = now_us + PUBLISH_PERIOD_US;
		stats_publish();
	}
	if (now_us >= images_us && docker_is_up(docker)) {
		images_us = now_us + IMAGE_PERIOD_US;
		image_check_all();
	}
}

static void on_engine_up(void *arg)
{
	(void)arg;
	log_info("Docker Engine %s answers", docker_version(docker));
	images_us = 0;
	shape_retry_all();
	reconcile_now();
}

static void on_engine_down(void *arg)
{
	(void)arg;
	log_error("%s", docker_problem(docker));
	pool_on_engine_down();
}

static void on_container_died(const char *sandbox_id, int exit_code, void *arg)
{
	struct sandbox *s = sandbox_find(sandbox_id);

	(void)arg;
	if (s != NULL)
		sandbox_died(s, exit_code);
}

static void on_container_signalled(const char *sandbox_id, void *arg)
{
	struct sandbox *s = sandbox_find(sandbox_id);

	(void)arg;
	if (s != NULL)
		sandbox_signalled(s);
}

static const struct docker_events docker_events = {on_engine_up, on_engine_down, on_container_died, on_container_signalled,
						   NULL};
static const struct sandbox_hooks sandbox_hooks = {pool_on_spare, pool_on_start_failed, pool_on_gone, pool_on_dead};
static const struct client_hooks client_hooks = {messages_take, messages_client_gone};
static const struct image_hooks image_hooks = {renewal_adopt, renewal_begin};
static const struct store_hooks store_hooks = {pool_invalidate, pool_on_store_connected};

static int init(const struct inherited *inherited, struct scoreboard *board, struct err *err)
{
	conf = inherited->conf;
	loop = uv_default_loop();
	if (language_load_all(conf, &languages, err) < 0 || docker_new(loop, conf, &docker_events, &docker, err) < 0 ||
	    directory_init(loop, conf, err) < 0 || sandbox_init(loop, conf, docker, &sandbox_hooks, err) < 0 ||
	    package_init(loop, conf, err) < 0)
		return -1;
	boot_init(loop, conf, docker);
	freezer_init(conf, docker);
	stray_init(docker);
	store_init(loop, conf, &store_hooks);
	shape_init(conf, languages);
	init_payload_set_conf(conf);
	image_init(docker, languages, &image_hooks);
	pool_init(loop, conf, docker);
	shim_init(loop, conf);
	reconcile_init(conf, docker);
	stats_init(conf, docker, board);
	bill_init(conf, board, inherited->slot);
	postmortem_init(docker);
	cgroup_init(loop, INHERITED_WARDEN_FD);
	client_init(loop, conf, INHERITED_LISTEN_FD, inherited->clients, &client_hooks);
	return 0;
}

static void watch_signals(void)
{
	static const int numbers[ARRAY_SIZE(signals)] = {SIGTERM, SIGHUP, SIGQUIT};
	static struct watch *life;
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uv_signal_init(loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, numbers[i]);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL); /* signals that arrived before there was a handler are delivered now */
	life = watch_new(loop, INHERITED_LIFE_FD, UV_READABLE | UV_DISCONNECT, on_master_gone, &life);
}

int poolmgr_main(const struct inherited *inherited)
{
	struct scoreboard *board;
	struct err err;

	if (scoreboard_attach(INHERITED_SCOREBOARD_FD, &board, &err) < 0 || init(inherited, board, &err) < 0) {
		log_error("cannot start: %s", err.msg);
		return 1;
	}
	slot = scoreboard_slot(board, inherited->slot);
	heartbeat_begin(slot);
	watch_signals();
	ready_deadline_us = clock_mono_us() + READY_AFTER_US;
	uv_timer_init(loop, &tick_timer);
	uv_timer_start(&tick_timer, on_tick, 0, POOL_TICK_MS);
	log_info("started");
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}
