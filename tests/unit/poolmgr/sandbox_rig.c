#include "tests/unit/poolmgr/sandbox_rig.h"

#include "base/mem.h"
#include "poolmgr/sandbox/boot.h"
#include "poolmgr/sandbox/freezer.h"
#include "poolmgr/sandbox/stray.h"
#include "tests/unit/poolmgr/threads.h"

struct shape shape;
struct version version;
struct seen seen;
static struct spec spec = {.version = 7};
static int fds_before;

static void on_spare(struct sandbox *s)
{
	assert_int_equal(s->state, SANDBOX_SPARE);
	seen.spares++;
}

static void on_start_failed(struct shape *of, const char *why)
{
	assert_ptr_equal(of, &shape);
	snprintf(seen.why, sizeof(seen.why), "%s", why);
	seen.failures++;
}

static void on_gone(void)
{
	seen.gone++;
}

static void on_dead(struct sandbox *s)
{
	assert_true(s->state == SANDBOX_LEASED || s->state == SANDBOX_IDLE);
	seen.dead++;
}

struct sandbox *create(enum fake_boot boot)
{
	rig.engine->boot = boot;
	boot_start(&shape);
	assert_non_null(sandbox_lists[SANDBOX_CREATING]);
	return sandbox_lists[SANDBOX_CREATING]->prev; /* the newest is last, and the head's prev */
}

/* A new sandbox, driven to that state without a pool. */
struct sandbox *create_in(enum sandbox_state state)
{
	const enum sandbox_state way[] = {SANDBOX_ASSIGNED, state == SANDBOX_WARMING ? SANDBOX_WARMING : SANDBOX_LEASED,
					  SANDBOX_IDLE};
	struct sandbox *s = create(state == SANDBOX_BOOTING ? FAKE_BOOT_SILENT : FAKE_BOOT_GOOD);

	if (state == SANDBOX_CREATING)
		return s;
	if (state == SANDBOX_BOOTING) {
		WAIT_FOR(s->state == SANDBOX_BOOTING && s->control_fd >= 0 && s->log_fd >= 0);
		return s;
	}
	WAIT_FOR(s->state == SANDBOX_SPARE);
	for (size_t i = 0; i < ARRAY_SIZE(way) && s->state != state; i++) {
		if (way[i] == SANDBOX_ASSIGNED)
			s->version = version_ref(&version);
		sandbox_set_state(s, way[i]);
	}
	assert_int_equal(s->state, state);
	return s;
}

void assert_failed_because(const char *words)
{
	WAIT_FOR(seen.failures > 0);
	if (strstr(seen.why, words) == NULL)
		fail_msg("'%s' does not say '%s'", seen.why, words);
	assert_int_equal(seen.spares, 0);
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(seen.failures, 1);
}

struct sandbox *create_up_to_its_cgroup(struct opening *q)
{
	struct sandbox *s = create(FAKE_BOOT_GOOD);

	*q = fake_warden_next_open();
	assert_int_equal(s->state, SANDBOX_BOOTING);
	return s;
}

struct sandbox *create_with(uint8_t v, const struct fake_cgroup *c)
{
	struct opening q;
	struct sandbox *s = create_up_to_its_cgroup(&q);

	fake_warden_give(q.seq, v, c);
	WAIT_FOR(s->state == SANDBOX_SPARE);
	return s;
}

void tick(int64_t now_us)
{
	boot_tick(now_us);
	freezer_tick(now_us);
	sandbox_tick(now_us);
}

int sandbox_rig_set_up(void **state)
{
	static const struct sandbox_hooks hooks = {on_spare, on_start_failed, on_gone, on_dead};

	int rc = engine_rig_set_up(state);
	rig.conf->sandbox_uid_count = SANDBOX_RIG_UIDS;
	rig_init_sandboxes(&hooks);
	return rc;
}

int sandbox_rig_each(void **state)
{
	(void)state;
	rig_reset();
	rig.conf->sandbox_uid_count = SANDBOX_RIG_UIDS;
	memset(&seen, 0, sizeof(seen));
	shape = (struct shape){.name = "unit",
			       .key = {.driver = driver_find("docker"),
				       .language_version = rig.languages->versions,
				       .memory_mb = 128,
				       .cpu_millis = 500,
				       .tmp_mb = 8,
				       .tmp_inodes = 1000,
				       .pids = 61,
				       .nofile = 1021}};
	version = (struct version){.shape = &shape, .spec = &spec, .refs = 1};
	rig_barrier();
	threads_settle(); /* a thread may still have a directory open that is being removed */
	fds_before = rig_open_fds();
	return 0;
}

void sandbox_rig_keep_fd(void)
{
	fds_before++;
}

/* Whatever happened: nothing is left. */
int sandbox_rig_nothing_leaks(void **state)
{
	(void)state;
	rig.tick = NULL;
	WAIT_FOR(sandbox_total() == 0 && stray_count() == 0);
	WAIT_FOR(fake_docker_count(rig.engine) == 0);
	assert_int_equal(rig_count_names("sandboxes"), 0);
	assert_int_equal(shape.users + shape.starting + shape.spare_count, 0);
	assert_int_equal(version.live + version.coming, 0);
	assert_int_equal(version.refs, 1);
	fake_warden_stop();
	WAIT_FOR(rig_open_fds() == fds_before);
	return 0;
}
