#include "tests/unit/poolmgr/fake_warden.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <utlist.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/sandbox.h"

#define UIDS 4 /* few, so that one that is not given back is missed soon */

static struct shape shape;
static struct version version;
static struct {
	int spares, failures, gone, dead;
	char why[512];
} seen;
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

static struct sandbox *create(enum fake_boot boot)
{
	rig.engine->boot = boot;
	sandbox_create(&shape);
	assert_non_null(sandbox_lists[SANDBOX_CREATING]);
	return sandbox_lists[SANDBOX_CREATING]->prev; /* the newest is last, and the head's prev */
}

/* A new sandbox, driven to that state without a pool. */
static struct sandbox *create_in(enum sandbox_state state)
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

static void assert_failed_because(const char *words)
{
	WAIT_FOR(seen.failures > 0);
	if (strstr(seen.why, words) == NULL)
		fail_msg("'%s' does not say '%s'", seen.why, words);
	assert_int_equal(seen.spares, 0);
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(seen.failures, 1);
}

/* ---- States ---- */

#define TO(state) (1u << SANDBOX_##state)

static const unsigned allowed[SANDBOX_STATE_COUNT] = {
	[SANDBOX_CREATING] = TO(BOOTING) | TO(DYING), [SANDBOX_BOOTING] = TO(SPARE) | TO(DYING),
	[SANDBOX_SPARE] = TO(ASSIGNED) | TO(DYING),   [SANDBOX_ASSIGNED] = TO(WARMING) | TO(LEASED) | TO(IDLE) | TO(DYING),
	[SANDBOX_WARMING] = TO(IDLE) | TO(DYING),     [SANDBOX_LEASED] = TO(IDLE) | TO(DYING),
	[SANDBOX_IDLE] = TO(LEASED) | TO(DYING),      [SANDBOX_DYING] = TO(GONE),
};

static void every_state_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < SANDBOX_STATE_COUNT; i++) {
		assert_non_null(sandbox_state_name((enum sandbox_state)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(sandbox_state_name((enum sandbox_state)i),
						sandbox_state_name((enum sandbox_state)j));
	}
}

/* Where a sandbox in that state is listed and counted. */
static void assert_counted(const struct sandbox *s)
{
	bool coming = s->state == SANDBOX_ASSIGNED || s->state == SANDBOX_WARMING;
	bool live = coming || s->state == SANDBOX_LEASED || s->state == SANDBOX_IDLE;

	for (int i = 0; i < SANDBOX_STATE_COUNT; i++) {
		bool here = i == (int)s->state;
		assert_int_equal(sandbox_counts[i], here);
		assert_int_equal(sandbox_memory_mb[i], here ? shape.key.memory_mb : 0);
		assert_ptr_equal(sandbox_lists[i], here ? s : NULL);
	}
	assert_int_equal(shape.starting, s->state == SANDBOX_CREATING || s->state == SANDBOX_BOOTING);
	assert_int_equal(shape.spare_count, s->state == SANDBOX_SPARE);
	assert_ptr_equal(shape.spares, s->state == SANDBOX_SPARE ? s : NULL);
	assert_int_equal(version.live, live);
	assert_int_equal(version.coming, coming);
	assert_ptr_equal(version.idle, s->state == SANDBOX_IDLE ? s : NULL);
	assert_int_equal(sandbox_total(), 1);
	assert_int_equal(sandbox_total_memory_mb(), shape.key.memory_mb);
	assert_int_equal(shape.users, 1);
	assert_ptr_equal(sandbox_find(s->id), s);
}

static void every_allowed_transition_is_made_and_counted(void **state)
{
	static const enum sandbox_state way[] = {SANDBOX_BOOTING, SANDBOX_SPARE,  SANDBOX_ASSIGNED, SANDBOX_LEASED,
						 SANDBOX_IDLE,    SANDBOX_LEASED, SANDBOX_DYING};

	(void)state;
	rig.engine->manner[FAKE_CREATE].hold = true; /* nothing but this test moves it */
	struct sandbox *s = create(FAKE_BOOT_ABSENT);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
	assert_counted(s);
	for (size_t i = 0; i + 1 < ARRAY_SIZE(way); i++) {
		if (way[i] == SANDBOX_ASSIGNED)
			s->version = version_ref(&version);
		sandbox_set_state(s, way[i]);
		assert_counted(s);
	}
	sandbox_kill(s, COUNT_KILL_OTHER);
	assert_counted(s);
	assert_int_equal(version.refs, 1);
	fake_docker_let_go(rig.engine, FAKE_CREATE);
	WAIT_FOR(seen.gone == 1);
	assert_null(sandbox_lists[SANDBOX_GONE]);

	rig.engine->manner[FAKE_CREATE].hold = false;
	for (int warms = 0; warms < 2; warms++) { /* the ways not taken above */
		s = create_in(warms ? SANDBOX_WARMING : SANDBOX_ASSIGNED);
		assert_counted(s);
		sandbox_set_state(s, SANDBOX_IDLE);
		assert_counted(s);
		sandbox_kill(s, COUNT_KILL_OTHER);
		WAIT_FOR(sandbox_total() == 0);
	}
}

/* Does the process abort when the sandbox is put into that state? */
static bool aborts(struct sandbox *s, enum sandbox_state to)
{
	int status;

	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(SIGABRT, SIG_DFL); /* cmocka's own handler would take it for a failed test */
		fd_close(&(int){STDERR_FILENO});
		s->version = &version;
		sandbox_set_state(s, to);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void every_other_transition_aborts(void **state)
{
	static const enum sandbox_state states[] = {SANDBOX_CREATING, SANDBOX_BOOTING, SANDBOX_SPARE, SANDBOX_ASSIGNED,
						    SANDBOX_LEASED,   SANDBOX_IDLE,    SANDBOX_DYING};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		enum sandbox_state from = states[i];
		seen.gone = 0;
		rig.engine->manner[FAKE_CREATE].hold = from == SANDBOX_CREATING;
		rig.engine->manner[FAKE_REMOVE].hold = from == SANDBOX_DYING;
		struct sandbox *s = create_in(from == SANDBOX_DYING ? SANDBOX_SPARE : from);
		if (from == SANDBOX_CREATING)
			WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
		if (from == SANDBOX_DYING)
			sandbox_kill(s, COUNT_KILL_OTHER);
		for (int to = 0; to < SANDBOX_STATE_COUNT; to++) {
			if (allowed[from] & (1u << to))
				continue;
			if (!aborts(s, (enum sandbox_state)to))
				fail_msg("%s → %s was not refused", sandbox_state_name(from),
					 sandbox_state_name((enum sandbox_state)to));
		}
		if (from == SANDBOX_DYING)
			WAIT_FOR(fake_docker_held(rig.engine, FAKE_REMOVE) == 1);
		sandbox_kill(s, COUNT_KILL_OTHER);
		fake_docker_let_go(rig.engine, FAKE_CREATE);
		fake_docker_let_go(rig.engine, FAKE_REMOVE);
		WAIT_FOR(seen.gone == 1);
	}
}

static void lists_are_in_the_order_of_arrival_and_the_latest_idle_one_is_taken_first(void **state)
{
	struct sandbox *a = create_in(SANDBOX_IDLE), *b = create_in(SANDBOX_IDLE);

	(void)state;
	assert_ptr_equal(sandbox_lists[SANDBOX_IDLE], a);
	assert_ptr_equal(version.idle, b);
	sandbox_set_state(a, SANDBOX_LEASED);
	sandbox_set_state(a, SANDBOX_IDLE);
	assert_ptr_equal(sandbox_lists[SANDBOX_IDLE], b);
	assert_ptr_equal(version.idle, a);
	sandbox_kill(a, COUNT_KILL_OTHER);
	sandbox_kill(b, COUNT_KILL_OTHER);
}

/* ---- A good start ---- */

static void a_sandbox_becomes_a_spare_once_its_agent_has_said_hello(void **state)
{
	char buf[8];

	(void)state;
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	assert_int_equal(seen.spares, 0);
	WAIT_FOR(seen.spares == 1);
	assert_int_equal(s->state, SANDBOX_SPARE);
	assert_int_equal(s->control_listener, -1);
	assert_int_equal(s->log_listener, -1);
	assert_false(rig_exists("sandboxes/%s/control.sock", s->id));
	assert_false(rig_exists("sandboxes/%s/log.sock", s->id));
	assert_true(rig_exists("sandboxes/%s/function", s->id));

	struct fake_container *c = fake_docker_find(rig.engine, s->id);
	assert_non_null(c);
	assert_int_equal(write(c->log_fd, "log", 3), 3);
	assert_int_equal(read(s->log_fd, buf, sizeof(buf)), 3);
	assert_int_equal(write(s->control_fd, "frame", 5), 5);
	assert_int_equal(read(c->control_fd, buf, sizeof(buf)), 5);
	assert_int_equal(fcntl(s->control_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(s->log_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static void docker_is_told_the_directory_the_user_and_the_shape(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_SPARE);
	json_t *body = fake_docker_find(rig.engine, s->id)->body, *host = json_object_get(body, "HostConfig");
	AUTO(mem_free) char *user = mem_printf("%u:%u", s->uid, s->uid);
	AUTO(mem_free) char *dir = mem_printf("%s/sandboxes/%s", rig.dir, s->id);

	assert_string_equal(json_string_value(json_object_get(body, "User")), user);
	assert_string_equal(json_string_value(json_object_get(body, "Image")), "alpha-image");
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(host, "Mounts"), 0), "Source")),
			    dir);
	assert_int_equal(json_integer_value(json_object_get(host, "Memory")), shape.key.memory_mb << 20);
	assert_int_equal(json_integer_value(json_object_get(host, "PidsLimit")), 61);
	assert_string_equal(json_string_value(json_object_get(host, "Runtime")), "runc");
	assert_string_equal(json_string_value(json_object_get(host, "NetworkMode")), "none");
	assert_string_equal(s->container_id, fake_docker_find(rig.engine, s->id)->id);
	assert_int_equal(json_integer_value(json_object_get(host, "NanoCpus")), shape.key.cpu_millis * 1000000);
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static void the_sandboxes_user_can_reach_its_directory_whatever_the_umask(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
	} files[] = {{"", 0755}, {"/function", 0755}, {"/control.sock", 0666}, {"/log.sock", 0666}};
	struct stat st;

	(void)state;
	rig.engine->manner[FAKE_CREATE].hold = true;
	mode_t mask = umask(077);
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	umask(mask);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s%s", rig.dir, s->id, files[i].name);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, files[i].mode);
	}
	sandbox_kill(s, COUNT_KILL_OTHER);
	WAIT_FOR(fake_docker_let_go(rig.engine, FAKE_CREATE) == 1);
}

static void hello_may_come_in_any_pieces(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_BOOTING);
	struct fake_container *c = fake_docker_find(rig.engine, s->id);
	for (size_t i = 0; i < FAKE_HELLO_LEN; i++) {
		assert_int_equal(s->state, SANDBOX_BOOTING);
		assert_true(fake_container_say(c, FAKE_HELLO + i, 1));
		rig_turn();
	}
	WAIT_FOR(s->state == SANDBOX_SPARE);
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static void hello_may_come_before_docker_says_that_the_container_was_started(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_START].hold = true;
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(s->state == SANDBOX_SPARE);
	sandbox_kill(s, COUNT_KILL_OTHER); /* waits: whether the container runs is not known */
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	assert_int_equal(fake_docker_let_go(rig.engine, FAKE_START), 1);
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(seen.failures, 0);
}

static void a_sandbox_whose_agent_is_up_outlives_a_start_docker_never_confirms(void **state)
{
	(void)state;
	rig.conf->docker_timeout_ms = 50;
	rig.engine->manner[FAKE_START].hold = true;
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(s->state == SANDBOX_SPARE);
	WAIT_FOR(s->holds == 0); /* the request has timed out */
	assert_int_equal(s->state, SANDBOX_SPARE);
	assert_int_equal(seen.failures, 0);
	rig.conf->docker_timeout_ms = 60000;
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static void living_sandboxes_have_users_of_their_own_and_a_user_rests_after_use(void **state)
{
	struct sandbox *s[UIDS];

	(void)state;
	for (int i = 0; i < UIDS; i++) {
		s[i] = create_in(SANDBOX_SPARE);
		assert_in_range(s[i]->uid, rig.conf->sandbox_uid_base, rig.conf->sandbox_uid_base + UIDS - 1);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(s[i]->uid, s[j]->uid);
	}
	uint32_t first = s[0]->uid, second = s[1]->uid;
	sandbox_kill(s[0], COUNT_KILL_OTHER);
	sandbox_kill(s[1], COUNT_KILL_OTHER);
	WAIT_FOR(seen.gone == 2);
	struct sandbox *a = create_in(SANDBOX_SPARE), *b = create_in(SANDBOX_SPARE);
	assert_true((a->uid == first && b->uid == second) || (a->uid == second && b->uid == first));
	sandbox_kill(a, COUNT_KILL_OTHER);
	WAIT_FOR(seen.gone == 3);
	uint32_t used_last = b->uid;
	a = create_in(SANDBOX_SPARE);
	assert_int_not_equal(a->uid, used_last);
	sandbox_kill(a, COUNT_KILL_OTHER);
	sandbox_kill(b, COUNT_KILL_OTHER);
	sandbox_kill(s[2], COUNT_KILL_OTHER);
	sandbox_kill(s[3], COUNT_KILL_OTHER);
}

static void nobody_else_can_connect_once_the_agent_has(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_BOOTING);
	int agent = s->control_fd;
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s/control.sock", rig.dir, s->id);
	AUTO(fd_close) int intruder = fd_connect_unix(path, SOCK_STREAM, NULL);
	assert_true(intruder >= 0); /* into the backlog, where it stays */
	assert_int_equal(send(intruder, FAKE_HELLO, FAKE_HELLO_LEN, MSG_NOSIGNAL), FAKE_HELLO_LEN);
	rig_barrier();
	assert_int_equal(s->state, SANDBOX_BOOTING);
	assert_int_equal(s->control_fd, agent);
	assert_true(fake_container_say(fake_docker_find(rig.engine, s->id), FAKE_HELLO, FAKE_HELLO_LEN));
	WAIT_FOR(s->state == SANDBOX_SPARE);
	assert_int_equal(send(intruder, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(fd_connect_unix(path, SOCK_STREAM, NULL), -1);
	sandbox_kill(s, COUNT_KILL_OTHER);
}

/* ---- Its cgroup ---- */

/* A new one, BOOTING: the warden is asked for its cgroup. */
static struct sandbox *create_up_to_its_cgroup(struct opening *q)
{
	struct sandbox *s = create(FAKE_BOOT_GOOD);

	*q = fake_warden_next_open();
	assert_int_equal(s->state, SANDBOX_BOOTING);
	return s;
}

static struct sandbox *create_with(uint8_t v, const struct fake_cgroup *c)
{
	struct opening q;
	struct sandbox *s = create_up_to_its_cgroup(&q);

	fake_warden_give(q.seq, v, c);
	WAIT_FOR(s->state == SANDBOX_SPARE);
	return s;
}

static void a_sandbox_is_no_spare_before_its_cgroup_is_open(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	struct opening q;

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_up_to_its_cgroup(&q);
	assert_string_equal(q.container, fake_docker_find(rig.engine, s->id)->id);
	assert_int_equal(q.pid, getpid()); /* who connected: the fake engine's agent is this process */
	rig_barrier();
	assert_int_equal(seen.spares, 0);
	fake_warden_give(q.seq, 1, &c);
	WAIT_FOR(seen.spares == 1);
	for (int i = 0; i < CGROUP_FD_COUNT; i++)
		assert_true(fake_cgroup_is_same(s->cgroup.fds[i], c.fds[i]));
	assert_int_equal(s->cgroup.version, 1);
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static void a_sandbox_without_its_cgroup_is_a_spare_all_the_same(void **state)
{
	struct opening q;

	(void)state;
	fake_warden_start();
	struct sandbox *refused = create_up_to_its_cgroup(&q);
	fake_warden_refuse(q.seq, "not there");
	WAIT_FOR(refused->state == SANDBOX_SPARE);
	assert_false(cgroup_is_open(&refused->cgroup));

	struct sandbox *silent = create_up_to_its_cgroup(&q);
	sandbox_tick(clock_mono_us() + 2000000);
	assert_int_equal(silent->state, SANDBOX_SPARE);
	sandbox_tick(silent->since_us + 3600000000); /* nothing to freeze */
	sandbox_kill(refused, COUNT_KILL_OTHER);
	sandbox_kill(silent, COUNT_KILL_OTHER);
	assert_false(fake_warden_is_asked());
}

static void an_agent_that_goes_while_its_cgroup_is_looked_for_is_told_and_what_comes_late_is_closed(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	struct opening q;

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_up_to_its_cgroup(&q);
	fake_container_hang_up(fake_docker_find(rig.engine, s->id));
	WAIT_FOR(seen.failures == 1);
	fake_warden_give(q.seq, 1, &c);
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(seen.spares, 0);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
}

static void what_rests_is_frozen_after_its_time_and_thawed_before_it_is_used(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_with(1, &c);
	int64_t after_us = rig.conf->pool_freeze_after_ms * 1000;
	sandbox_tick(s->since_us + after_us - 1);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
	sandbox_tick(s->since_us + after_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	sandbox_tick(s->since_us + 2 * after_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), ""); /* once */

	s->version = version_ref(&version);
	sandbox_set_state(s, SANDBOX_ASSIGNED);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	sandbox_tick(s->since_us + 2 * after_us);
	sandbox_set_state(s, SANDBOX_LEASED);
	sandbox_tick(s->since_us + 2 * after_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");

	for (int i = 0; i < 2; i++) {
		sandbox_set_state(s, SANDBOX_IDLE);
		sandbox_tick(s->since_us + after_us - 1);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
		sandbox_tick(s->since_us + after_us);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
		sandbox_set_state(s, SANDBOX_LEASED);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	}
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static void what_is_frozen_is_let_go_for_a_moment_now_and_then(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_with(1, &c);
	int64_t frozen_us = s->since_us + rig.conf->pool_freeze_after_ms * 1000;
	WAIT_FOR(docker_is_heard(rig.docker));
	for (int i = 1; i <= 2; i++) {
		sandbox_tick(frozen_us);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
		sandbox_tick(frozen_us + 19939999);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
		sandbox_tick(frozen_us + 19940000);
		assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
		frozen_us += 20000000;
	}
	sandbox_tick(frozen_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static void nothing_is_frozen_while_docker_engine_is_not_heard_of(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_with(1, &c);
	int64_t late_us = s->since_us + rig.conf->pool_freeze_after_ms * 1000;
	WAIT_FOR(docker_is_heard(rig.docker));
	sandbox_tick(late_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_heard(rig.docker));
	sandbox_tick(late_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "THAWED");
	sandbox_tick(late_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "");
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_heard(rig.docker));
	sandbox_tick(late_us);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static void a_container_is_removed_once_docker_engine_is_back(void **state)
{
	(void)state;
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(s->state == SANDBOX_SPARE);
	rig.engine->manner[FAKE_VERSION].status = 500; /* it answers, but not as it should */
	docker_doubt(rig.docker);
	WAIT_FOR(!docker_is_up(rig.docker));
	sandbox_kill(s, COUNT_KILL_OTHER);
	sandbox_tick(clock_mono_us());
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	rig.engine->manner[FAKE_VERSION].status = 0;
	WAIT_FOR(docker_is_up(rig.docker));
	sandbox_tick(clock_mono_us());
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(fake_docker_count(rig.engine), 0);
}

static void what_rests_is_ended_when_somebody_sends_it_a_signal(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_with(1, &c);
	s->version = version_ref(&version);
	sandbox_set_state(s, SANDBOX_ASSIGNED);
	sandbox_set_state(s, SANDBOX_LEASED);
	sandbox_signalled(s);
	assert_int_equal(s->state, SANDBOX_LEASED);
	assert_false(s->dead);
	sandbox_set_state(s, SANDBOX_IDLE);
	sandbox_signalled(s);
	assert_int_equal(s->state, SANDBOX_DYING);
	struct ipc_msg m = fake_warden_next(IPC_CGROUP_KILL);
	ipc_close_fds(&m);
	WAIT_FOR(seen.gone == 1);
}

static void of_several_those_are_frozen_that_have_rested_long_enough(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(fake_cgroup_free) struct fake_cgroup d = fake_cgroup_new();
	AUTO(fake_cgroup_free) struct fake_cgroup e = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *a = create_with(2, &c), *b = create_with(2, &d), *young = create_with(2, &e);
	a->since_us -= 2000;
	b->since_us -= 1000;
	sandbox_tick(b->since_us + rig.conf->pool_freeze_after_ms * 1000);
	assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "1");
	assert_string_equal(fake_cgroup_written(&d, CGROUP_FREEZER), "1");
	assert_string_equal(fake_cgroup_written(&e, CGROUP_FREEZER), "");
	sandbox_kill(a, COUNT_KILL_OTHER);
	sandbox_kill(b, COUNT_KILL_OTHER);
	sandbox_kill(young, COUNT_KILL_OTHER);
}

static void a_sandbox_is_killed_through_its_cgroup_before_docker_is_asked_to_remove_it(void **state)
{
	(void)state;
	fake_warden_start();
	for (uint8_t v = 1; v <= 2; v++) {
		for (int frozen = 0; frozen < 2; frozen++) {
			AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
			seen.gone = 0;
			rig.engine->calls[FAKE_REMOVE] = 0;
			struct sandbox *s = create_with(v, &c);
			if (frozen)
				sandbox_tick(s->since_us + rig.conf->pool_freeze_after_ms * 1000);
			sandbox_kill(s, COUNT_KILL_OTHER);
			assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
			assert_false(cgroup_is_open(&s->cgroup));
			if (v == 1) {
				assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
				struct ipc_msg m = fake_warden_next(IPC_CGROUP_KILL);
				assert_true(fake_cgroup_is_same(m.fds[0], c.fds[CGROUP_KILL]));
				ipc_close_fds(&m);
			} else {
				assert_string_equal(fake_cgroup_written(&c, CGROUP_KILL), "1");
				assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), frozen ? "0" : "");
			}
			WAIT_FOR(seen.gone == 1);
			assert_int_equal(rig.engine->calls[FAKE_REMOVE], 1);
		}
	}
}

/* ---- A bad start ---- */

#define FRAME(length, type, payload) "\0\0\0" length type payload, sizeof("\0\0\0" length type payload) - 1

static void an_agent_that_does_not_say_hello_as_it_should_is_not_kept(void **state)
{
	static const struct {
		const char *said;
		size_t len;
		const char *words;
	} bad[] = {
		{FRAME("\x0e", "\x01", "{\"protocol\":2}"), "speaks protocol 2, not 1"},
		{FRAME("\x02", "\x01", "{}"), "speaks protocol 0, not 1"},
		{FRAME("\x03", "\x01", "\xff{}"), "speaks protocol 0, not 1"},
		{FRAME("\x10", "\x01", "{\"protocol\":\"1\"}"), "speaks protocol 0, not 1"},
		{FRAME("\x00", "\x01", ""), "speaks protocol 0, not 1"},
		{FRAME("\x02", "\x03", "{}"), "said READY, not HELLO"},
		{FRAME("\x02", "\x02", "{}"), "frame of type 2, which no agent may send"},
		{FRAME("\x01", "\xc8", "x"), "frame of type 200"},
		{"HTTP/1.1 200 OK\r\n", 17, "frame of type"},
		{"\xff\xff\xff\xff\x01", 5, "limit 4096"},
		{FRAME("\x0e", "\x01", "{\"protocol\":1}\0"), "said more than HELLO"},
		{FAKE_HELLO FAKE_HELLO, 2 * FAKE_HELLO_LEN, "said more than HELLO"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&seen, 0, sizeof(seen));
		struct sandbox *s = create_in(SANDBOX_BOOTING);
		assert_true(fake_container_say(fake_docker_find(rig.engine, s->id), bad[i].said, bad[i].len));
		assert_failed_because(bad[i].words);
	}
}

static void an_agent_that_goes_before_it_says_hello_is_told(void **state)
{
	(void)state;
	create(FAKE_BOOT_HANGS_UP);
	assert_failed_because("the agent ended before it said hello");
}

static void an_agent_that_goes_in_the_middle_of_hello_is_told(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_BOOTING);
	struct fake_container *c = fake_docker_find(rig.engine, s->id);
	assert_true(fake_container_say(c, FAKE_HELLO, 7));
	fake_container_hang_up(c);
	assert_failed_because("the agent ended before it said hello");
}

static void an_agent_without_its_log_connection_is_not_kept(void **state)
{
	(void)state;
	create(FAKE_BOOT_NO_LOG);
	assert_failed_because("hello without its log connection");
}

static void whoever_says_hello_before_the_container_can_run_is_not_believed(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_CREATE].hold = true;
	struct sandbox *s = create(FAKE_BOOT_TOO_EARLY);
	WAIT_FOR(s->state == SANDBOX_DYING);
	WAIT_FOR(fake_docker_let_go(rig.engine, FAKE_CREATE) == 1);
	assert_failed_because("before its container was started");
}

static void a_container_that_ends_before_hello_is_told(void **state)
{
	(void)state;
	struct sandbox *s = create(FAKE_BOOT_ABSENT);
	WAIT_FOR(s->state == SANDBOX_BOOTING);
	sandbox_died(s, -1);
	assert_failed_because("the container ended before its agent said hello");
}

static void a_boot_that_takes_too_long_is_given_up(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_BOOTING);
	rig.conf->pool_boot_timeout_ms = 5000;
	sandbox_tick(s->since_us + 5000000);
	assert_int_equal(s->state, SANDBOX_BOOTING);
	sandbox_tick(s->since_us + 5000001);
	assert_failed_because("not ready within pool.boot_timeout_ms");
}

static void a_creation_docker_refuses_is_told_in_its_words(void **state)
{
	(void)state;
	rig.engine->missing_image = "alpha-image";
	create(FAKE_BOOT_GOOD);
	assert_failed_because("No such image: alpha-image");
}

static void a_start_docker_refuses_is_told_in_its_words_and_the_container_removed(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_START] = (struct fake_manner){.status = 400, .body = "{\"message\":\"bad mount\"}"};
	create(FAKE_BOOT_GOOD);
	assert_failed_because("bad mount");
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 1);
}

static void an_engine_that_goes_during_a_start_leaves_nothing_behind_once_it_is_back(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_START].hold = true;
	create(FAKE_BOOT_SILENT);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_START) == 1);
	fake_docker_stop(rig.engine);
	WAIT_FOR(seen.failures == 1);
	WAIT_FOR(!docker_is_up(rig.docker));
	assert_int_equal(sandbox_counts[SANDBOX_DYING], 1);
	assert_int_equal(fake_docker_count(rig.engine), 1);
	rig.engine->manner[FAKE_START].hold = false;
	fake_docker_start(rig.engine);
	rig.tick = sandbox_tick;
	WAIT_FOR(seen.gone == 1);
}

static void a_spare_that_ends_as_soon_as_it_is_up_counts_as_a_bad_start(void **state)
{
	(void)state;
	create(FAKE_BOOT_SHORT_LIVED);
	WAIT_FOR(seen.failures == 1);
	assert_int_equal(seen.spares, 1);
	WAIT_FOR(seen.gone == 1);
}

/* ---- The end ---- */

static void a_sandbox_whose_agent_goes_is_removed_unless_a_worker_has_it(void **state)
{
	static const enum sandbox_state states[] = {SANDBOX_SPARE, SANDBOX_ASSIGNED, SANDBOX_IDLE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		seen.gone = seen.dead = 0;
		struct sandbox *s = create_in(states[i]);
		s->booted_us -= 3600000000; /* long ago */
		fake_container_hang_up(fake_docker_find(rig.engine, s->id));
		WAIT_FOR(seen.gone == 1);
		assert_int_equal(seen.failures, 0);
		assert_int_equal(seen.dead, states[i] == SANDBOX_IDLE);
		assert_int_equal(version.refs, 1);
	}
	seen.dead = 0;
	struct sandbox *s = create_in(SANDBOX_LEASED);
	fake_container_hang_up(fake_docker_find(rig.engine, s->id));
	WAIT_FOR(s->dead);
	assert_int_equal(s->state, SANDBOX_LEASED);
	assert_int_equal(seen.dead, 1);
	assert_int_equal(s->exit_code, -1);
	sandbox_died(s, 137); /* and again, by Docker's event */
	sandbox_died(s, -1);  /* and by its listing, which knows less */
	assert_int_equal(s->exit_code, 137);
	assert_int_equal(seen.dead, 3);
	assert_int_equal(s->state, SANDBOX_LEASED);
	sandbox_kill(s, COUNT_KILL_OTHER);
	sandbox_died(s, -1);
}

static void a_sandbox_can_be_killed_in_any_state(void **state)
{
	(void)state;
	for (int from = SANDBOX_CREATING; from < SANDBOX_DYING; from++) {
		seen.gone = 0;
		struct sandbox *s = create_in((enum sandbox_state)from);
		sandbox_kill(s, COUNT_KILL_OTHER);
		assert_int_equal(s->state, SANDBOX_DYING);
		assert_int_equal(s->control_fd, -1);
		assert_int_equal(s->log_fd, -1);
		assert_null(s->version);
		sandbox_kill(s, COUNT_KILL_OTHER);
		WAIT_FOR(seen.gone == 1);
		assert_int_equal(fake_docker_count(rig.engine), 0);
		assert_int_equal(version.refs, 1);
		assert_int_equal(seen.failures, 0);
	}
}

static void a_kill_during_creation_waits_for_its_end(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_CREATE].hold = true;
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
	sandbox_kill(s, COUNT_KILL_OTHER);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	assert_int_equal(fake_docker_let_go(rig.engine, FAKE_CREATE), 1);
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(fake_docker_count(rig.engine), 0);
	assert_int_equal(seen.failures, 0);
}

static void a_kill_during_a_creation_that_fails_ends_as_well(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_CREATE] = (struct fake_manner){.status = 500, .body = "{}", .hold = true};
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
	sandbox_kill(s, COUNT_KILL_OTHER);
	assert_int_equal(fake_docker_let_go(rig.engine, FAKE_CREATE), 1);
	WAIT_FOR(seen.gone == 1);
	assert_int_equal(seen.failures, 0);
}

static void a_kill_during_the_start_waits_for_its_end_good_or_bad(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		seen.gone = 0;
		rig.engine->calls[FAKE_REMOVE] = 0;
		rig.engine->manner[FAKE_START] = (struct fake_manner){.hold = true, .status = i ? 500 : 0, .body = "{}"};
		struct sandbox *s = create(FAKE_BOOT_ABSENT);
		WAIT_FOR(fake_docker_held(rig.engine, FAKE_START) == 1);
		sandbox_kill(s, COUNT_KILL_OTHER);
		rig_barrier();
		assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
		assert_int_equal(fake_docker_let_go(rig.engine, FAKE_START), 1);
		WAIT_FOR(seen.gone == 1);
		assert_int_equal(seen.failures, 0);
	}
}

static void a_removal_that_fails_is_tried_again_with_growing_pauses(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_SPARE);
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){.status = 500, .body = "{\"message\":\"busy\"}"};
	sandbox_kill(s, COUNT_KILL_OTHER);
	int64_t last_pause_us = 0;
	for (int i = 1; i <= 3; i++) {
		WAIT_FOR(s->remove_failures == i);
		int64_t pause_us = s->remove_retry_us - clock_mono_us();
		assert_true(pause_us > last_pause_us);
		last_pause_us = pause_us;
		sandbox_tick(s->remove_retry_us - 1);
		rig_barrier();
		assert_int_equal(rig.engine->calls[FAKE_REMOVE], i);
		if (i == 3)
			rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){0};
		sandbox_tick(s->remove_retry_us);
	}
	assert_true(rig_exists("sandboxes/%s", s->id)); /* as long as the container may use it */
	WAIT_FOR(seen.gone == 1);
}

/* ---- What belongs to nobody ---- */

static void make_directory(const char *id)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s", rig.dir, id);
	AUTO(mem_free) char *file = mem_printf("%s/file", path);

	assert_int_equal(mkdir(path, 0755), 0);
	unit_write_file(file, "left");
}

static void a_stray_container_goes_with_its_directory(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
	make_directory("aaaaaaaaaaaaaaaa");
	sandbox_remove_stray("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(fake_docker_count(rig.engine) == 0 && !rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
}

/* Docker cannot kill what is frozen. */
static void a_stray_that_runs_is_killed_through_its_cgroup_before_docker_is_asked_to_remove_it(void **state)
{
	(void)state;
	fake_warden_start();
	for (uint8_t v = 1; v <= 2; v++) {
		AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
		const struct fake_container *container = fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
		make_directory("aaaaaaaaaaaaaaaa");
		rig.engine->calls[FAKE_REMOVE] = 0;
		sandbox_remove_stray("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
		struct opening q = fake_warden_next_open();
		assert_string_equal(q.container, container->id);
		assert_int_equal(q.pid, FAKE_PID);
		rig_barrier();
		assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
		fake_warden_give(q.seq, v, &c);
		WAIT_FOR(rig.engine->calls[FAKE_REMOVE] == 1);
		if (v == 1) {
			assert_string_equal(fake_cgroup_written(&c, CGROUP_FREEZER), "FROZEN");
			struct ipc_msg m = fake_warden_next(IPC_CGROUP_KILL);
			ipc_close_fds(&m);
		} else {
			assert_string_equal(fake_cgroup_written(&c, CGROUP_KILL), "1");
		}
		WAIT_FOR(fake_docker_count(rig.engine) == 0 && !rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
		WAIT_FOR(sandbox_strays() == 0);
	}
}

static void a_stray_whose_cgroup_is_not_there_is_removed_all_the_same(void **state)
{
	(void)state;
	fake_warden_start();
	for (int silent = 0; silent < 2; silent++) {
		fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
		sandbox_remove_stray("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
		struct opening q = fake_warden_next_open();
		if (silent)
			sandbox_tick(clock_mono_us() + 2000000);
		else
			fake_warden_refuse(q.seq, "not there");
		WAIT_FOR(fake_docker_count(rig.engine) == 0 && sandbox_strays() == 0);
	}
}

static void the_warden_is_not_asked_for_a_stray_that_does_not_run(void **state)
{
	static const struct fake_manner manners[] = {
		{0},
		{.status = 500, .body = "{}"},
		{.status = 200, .body = "{\"State\":{\"Running\":true,\"Pid\":\"7\"}}"},
	};

	(void)state;
	fake_warden_start();
	for (size_t i = 0; i < ARRAY_SIZE(manners); i++) {
		fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", i == 0 ? "exited" : "running");
		rig.engine->manner[FAKE_INSPECT] = manners[i];
		sandbox_remove_stray("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
		WAIT_FOR(fake_docker_count(rig.engine) == 0 && sandbox_strays() == 0);
	}
	assert_false(fake_warden_is_asked());
}

static void a_stray_that_is_being_removed_is_not_removed_twice(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", "aaaaaaaaaaaaaaaa", "running");
	make_directory("aaaaaaaaaaaaaaaa");
	rig.engine->manner[FAKE_REMOVE].hold = true;
	sandbox_remove_stray("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	sandbox_remove_stray("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_REMOVE) == 1);
	sandbox_remove_stray("aaaaaaaaaaaaaaaa", COUNT_DRIFT_CONTAINER);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 1);
	fake_docker_let_go(rig.engine, FAKE_REMOVE);
	WAIT_FOR(!rig_exists("sandboxes/aaaaaaaaaaaaaaaa"));
}

static void the_directory_of_a_stray_stays_as_long_as_its_container_cannot_be_removed(void **state)
{
	(void)state;
	make_directory("bbbbbbbbbbbbbbbb");
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){.status = 500, .body = "{}"};
	sandbox_remove_stray("bbbbbbbbbbbbbbbb", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(rig.engine->calls[FAKE_REMOVE] == 1);
	rig_barrier();
	assert_true(rig_exists("sandboxes/bbbbbbbbbbbbbbbb"));
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){0};
	sandbox_remove_stray("bbbbbbbbbbbbbbbb", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(!rig_exists("sandboxes/bbbbbbbbbbbbbbbb"));
}

static void only_ids_of_sandboxes_are_removed_as_strays(void **state)
{
	static const char *const ids[] = {
		"", "..", "../../etc", "AAAAAAAAAAAAAAAA", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa", "aaaaaaa/aaaaaaaa"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		sandbox_remove_stray(ids[i], COUNT_DRIFT_CONTAINER);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
}

static void a_sandbox_of_ours_is_no_stray(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_LEASED);
	sandbox_remove_stray(s->id, COUNT_DRIFT_CONTAINER);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	assert_false(s->dead);
	sandbox_kill(s, COUNT_KILL_OTHER);
}

static bool keep_c(const char *id)
{
	return strcmp(id, "cccccccccccccccc") == 0;
}

static void the_sweep_removes_directories_nobody_wants_kept(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_SPARE);
	make_directory("cccccccccccccccc");
	make_directory("dddddddddddddddd");
	make_directory("lost+found");
	sandbox_sweep_directories(keep_c);
	WAIT_FOR(!rig_exists("sandboxes/dddddddddddddddd"));
	rig_barrier();
	assert_true(rig_exists("sandboxes/cccccccccccccccc"));
	assert_true(rig_exists("sandboxes/lost+found"));
	assert_true(rig_exists("sandboxes/%s/function", s->id));
	assert_int_equal(s->state, SANDBOX_SPARE);
	sandbox_kill(s, COUNT_KILL_OTHER);
	sandbox_remove_stray("cccccccccccccccc", COUNT_DRIFT_CONTAINER);
	WAIT_FOR(!rig_exists("sandboxes/cccccccccccccccc"));
	AUTO(mem_free) char *rest = mem_printf("%s/sandboxes/lost+found", rig.dir);
	unit_remove_dir(&rest);
}

/* Last: the rig has no directory for sandboxes afterwards. */
static void a_host_without_room_for_the_directory_is_told(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes", rig.dir);

	(void)state;
	assert_int_equal(rmdir(path), 0);
	sandbox_create(&shape);
	assert_failed_because("make directory");
	assert_int_equal(rig.engine->calls[FAKE_CREATE], 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int set_up(void **state)
{
	static const struct sandbox_hooks hooks = {on_spare, on_start_failed, on_gone, on_dead};
	struct err err;

	(void)state;
	rig_start();
	rig.conf->sandbox_uid_count = UIDS;
	assert_ok(sandbox_init(rig.loop, rig.conf, rig.docker, &hooks, &err));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_stop();
	return 0;
}

/* Descriptors besides both ends of the driver's connections to the fake engine, which come and go. */
static int open_fds(void)
{
	return unit_open_fds() - 2 * rig.engine->connections;
}

static int each(void **state)
{
	(void)state;
	rig_reset();
	rig.conf->sandbox_uid_count = UIDS;
	memset(&seen, 0, sizeof(seen));
	shape = (struct shape){.name = "unit",
			       .key = {.driver = driver_find("docker"),
				       .language = rig.languages,
				       .memory_mb = 128,
				       .cpu_millis = 500,
				       .tmp_mb = 8,
				       .tmp_inodes = 1000,
				       .pids = 61,
				       .nofile = 1021}};
	version = (struct version){.shape = &shape, .refs = 1};
	rig_barrier();
	fds_before = open_fds();
	return 0;
}

/* Whatever happened: nothing is left. */
static int nothing_leaks(void **state)
{
	(void)state;
	rig.tick = NULL;
	WAIT_FOR(sandbox_total() == 0 && sandbox_strays() == 0);
	WAIT_FOR(fake_docker_count(rig.engine) == 0);
	assert_int_equal(rig_count_names("sandboxes"), 0);
	assert_int_equal(shape.users + shape.starting + shape.spare_count, 0);
	assert_int_equal(version.live + version.coming, 0);
	assert_int_equal(version.refs, 1);
	fake_warden_stop();
	WAIT_FOR(open_fds() == fds_before);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, nothing_leaks)
	const struct CMUnitTest tests[] = {
		TEST(every_state_has_a_name_of_its_own),
		TEST(every_allowed_transition_is_made_and_counted),
		TEST(every_other_transition_aborts),
		TEST(lists_are_in_the_order_of_arrival_and_the_latest_idle_one_is_taken_first),
		TEST(a_sandbox_becomes_a_spare_once_its_agent_has_said_hello),
		TEST(docker_is_told_the_directory_the_user_and_the_shape),
		TEST(the_sandboxes_user_can_reach_its_directory_whatever_the_umask),
		TEST(hello_may_come_in_any_pieces),
		TEST(hello_may_come_before_docker_says_that_the_container_was_started),
		TEST(a_sandbox_whose_agent_is_up_outlives_a_start_docker_never_confirms),
		TEST(living_sandboxes_have_users_of_their_own_and_a_user_rests_after_use),
		TEST(nobody_else_can_connect_once_the_agent_has),
		TEST(a_sandbox_is_no_spare_before_its_cgroup_is_open),
		TEST(a_sandbox_without_its_cgroup_is_a_spare_all_the_same),
		TEST(an_agent_that_goes_while_its_cgroup_is_looked_for_is_told_and_what_comes_late_is_closed),
		TEST(what_rests_is_frozen_after_its_time_and_thawed_before_it_is_used),
		TEST(what_is_frozen_is_let_go_for_a_moment_now_and_then),
		TEST(nothing_is_frozen_while_docker_engine_is_not_heard_of),
		TEST(a_container_is_removed_once_docker_engine_is_back),
		TEST(what_rests_is_ended_when_somebody_sends_it_a_signal),
		TEST(of_several_those_are_frozen_that_have_rested_long_enough),
		TEST(a_sandbox_is_killed_through_its_cgroup_before_docker_is_asked_to_remove_it),
		TEST(an_agent_that_does_not_say_hello_as_it_should_is_not_kept),
		TEST(an_agent_that_goes_before_it_says_hello_is_told),
		TEST(an_agent_that_goes_in_the_middle_of_hello_is_told),
		TEST(an_agent_without_its_log_connection_is_not_kept),
		TEST(whoever_says_hello_before_the_container_can_run_is_not_believed),
		TEST(a_container_that_ends_before_hello_is_told),
		TEST(a_boot_that_takes_too_long_is_given_up),
		TEST(a_creation_docker_refuses_is_told_in_its_words),
		TEST(a_start_docker_refuses_is_told_in_its_words_and_the_container_removed),
		TEST(an_engine_that_goes_during_a_start_leaves_nothing_behind_once_it_is_back),
		TEST(a_spare_that_ends_as_soon_as_it_is_up_counts_as_a_bad_start),
		TEST(a_sandbox_whose_agent_goes_is_removed_unless_a_worker_has_it),
		TEST(a_sandbox_can_be_killed_in_any_state),
		TEST(a_kill_during_creation_waits_for_its_end),
		TEST(a_kill_during_a_creation_that_fails_ends_as_well),
		TEST(a_kill_during_the_start_waits_for_its_end_good_or_bad),
		TEST(a_removal_that_fails_is_tried_again_with_growing_pauses),
		TEST(a_stray_container_goes_with_its_directory),
		TEST(a_stray_that_runs_is_killed_through_its_cgroup_before_docker_is_asked_to_remove_it),
		TEST(a_stray_whose_cgroup_is_not_there_is_removed_all_the_same),
		TEST(the_warden_is_not_asked_for_a_stray_that_does_not_run),
		TEST(a_stray_that_is_being_removed_is_not_removed_twice),
		TEST(the_directory_of_a_stray_stays_as_long_as_its_container_cannot_be_removed),
		TEST(only_ids_of_sandboxes_are_removed_as_strays),
		TEST(a_sandbox_of_ours_is_no_stray),
		TEST(the_sweep_removes_directories_nobody_wants_kept),
		TEST(a_host_without_room_for_the_directory_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
