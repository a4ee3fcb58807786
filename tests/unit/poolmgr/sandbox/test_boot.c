#include "tests/unit/poolmgr/sandbox_rig.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/sandbox/boot.h"

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
	assert_false(rig_exists("sandboxes/%s/berth/control.sock", s->id));
	assert_false(rig_exists("sandboxes/%s/berth/log.sock", s->id));
	assert_true(rig_exists("sandboxes/%s/berth/function", s->id));

	struct fake_container *c = fake_docker_find(rig.engine, s->id);
	assert_non_null(c);
	assert_int_equal(write(c->log_fd, "log", 3), 3);
	assert_int_equal(read(s->log_fd, buf, sizeof(buf)), 3);
	assert_int_equal(write(s->control_fd, "frame", 5), 5);
	assert_int_equal(read(c->control_fd, buf, sizeof(buf)), 5);
	assert_int_equal(fcntl(s->control_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(s->log_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

static void docker_is_told_the_directory_the_user_and_the_shape(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_SPARE);
	json_t *body = fake_docker_find(rig.engine, s->id)->body, *host = json_object_get(body, "HostConfig");
	AUTO(mem_free) char *user = mem_printf("%u:%u", s->uid, s->uid);
	AUTO(mem_free) char *dir = mem_printf("%s/sandboxes/%s/berth", rig.dir, s->id);

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
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

static void the_sandboxes_user_can_reach_its_directory_whatever_the_umask(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
	} files[] = {{"/berth", 0755},          {"/berth/function", 0755}, {"/berth/control.sock", 0666},
		     {"/berth/log.sock", 0666}, {"/passwd", 0644},         {"/group", 0644}};
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
	sandbox_kill(s, COUNT_KILL_USED_UP);
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
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

static void hello_may_come_before_docker_says_that_the_container_was_started(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_START].hold = true;
	struct sandbox *s = create(FAKE_BOOT_GOOD);
	WAIT_FOR(s->state == SANDBOX_SPARE);
	sandbox_kill(s, COUNT_KILL_USED_UP); /* waits: whether the container runs is not known */
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
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

static void living_sandboxes_have_users_of_their_own_and_a_user_rests_after_use(void **state)
{
	struct sandbox *s[SANDBOX_RIG_UIDS];

	(void)state;
	for (int i = 0; i < SANDBOX_RIG_UIDS; i++) {
		s[i] = create_in(SANDBOX_SPARE);
		assert_in_range(s[i]->uid, rig.conf->sandbox_uid_base, rig.conf->sandbox_uid_base + SANDBOX_RIG_UIDS - 1);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(s[i]->uid, s[j]->uid);
	}
	uint32_t first = s[0]->uid, second = s[1]->uid;
	sandbox_kill(s[0], COUNT_KILL_USED_UP);
	sandbox_kill(s[1], COUNT_KILL_USED_UP);
	WAIT_FOR(seen.gone == 2);
	struct sandbox *a = create_in(SANDBOX_SPARE), *b = create_in(SANDBOX_SPARE);
	assert_true((a->uid == first && b->uid == second) || (a->uid == second && b->uid == first));
	sandbox_kill(a, COUNT_KILL_USED_UP);
	WAIT_FOR(seen.gone == 3);
	uint32_t used_last = b->uid;
	a = create_in(SANDBOX_SPARE);
	assert_int_not_equal(a->uid, used_last);
	sandbox_kill(a, COUNT_KILL_USED_UP);
	sandbox_kill(b, COUNT_KILL_USED_UP);
	sandbox_kill(s[2], COUNT_KILL_USED_UP);
	sandbox_kill(s[3], COUNT_KILL_USED_UP);
}

static void nobody_else_can_connect_once_the_agent_has(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_BOOTING);
	int agent = s->control_fd;
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s/berth/control.sock", rig.dir, s->id);
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
	sandbox_kill(s, COUNT_KILL_USED_UP);
}

/* ---- Its cgroup ---- */

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
	sandbox_kill(s, COUNT_KILL_USED_UP);
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
	tick(clock_mono_us() + 2000000);
	assert_int_equal(silent->state, SANDBOX_SPARE);
	tick(silent->since_us + 3600000000); /* nothing to freeze */
	sandbox_kill(refused, COUNT_KILL_USED_UP);
	sandbox_kill(silent, COUNT_KILL_USED_UP);
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
		{FRAME("\x02", "\x03", "{}"), "sent READY instead of HELLO"},
		{FRAME("\x02", "\x02", "{}"), "frame of type 2, which no agent may send"},
		{FRAME("\x01", "\xc8", "x"), "frame of type 200"},
		{"HTTP/1.1 200 OK\r\n", 17, "frame of type"},
		{"\xff\xff\xff\xff\x01", 5, "limit 4096"},
		{FRAME("\x0e", "\x01", "{\"protocol\":1}\0"), "sent more than HELLO"},
		{FAKE_HELLO FAKE_HELLO, 2 * FAKE_HELLO_LEN, "sent more than HELLO"},
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
	assert_failed_because("the agent ended before it was ready");
}

static void an_agent_that_goes_in_the_middle_of_hello_is_told(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_BOOTING);
	struct fake_container *c = fake_docker_find(rig.engine, s->id);
	assert_true(fake_container_say(c, FAKE_HELLO, 7));
	fake_container_hang_up(c);
	assert_failed_because("the agent ended before it was ready");
}

static void an_agent_without_its_log_connection_is_not_kept(void **state)
{
	(void)state;
	create(FAKE_BOOT_NO_LOG);
	assert_failed_because("HELLO without opening its other connections");
}

static void whoever_says_hello_before_the_container_can_run_is_not_believed(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_CREATE].hold = true;
	struct sandbox *s = create(FAKE_BOOT_TOO_EARLY);
	WAIT_FOR(s->state == SANDBOX_DYING);
	WAIT_FOR(fake_docker_let_go(rig.engine, FAKE_CREATE) == 1);
	assert_failed_because("HELLO arrived before the container was started");
}

static void a_container_that_ends_before_hello_is_told(void **state)
{
	(void)state;
	struct sandbox *s = create(FAKE_BOOT_ABSENT);
	WAIT_FOR(s->state == SANDBOX_BOOTING);
	sandbox_died(s, -1);
	assert_failed_because("the container ended before its agent was ready");
}

static void a_boot_that_takes_too_long_is_given_up(void **state)
{
	(void)state;
	struct sandbox *s = create_in(SANDBOX_BOOTING);
	rig.conf->pool_boot_timeout_ms = 5000;
	tick(s->since_us + 5000000);
	assert_int_equal(s->state, SANDBOX_BOOTING);
	tick(s->since_us + 5000001);
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
	rig.tick = tick;
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

/* Last: the rig has no directory for sandboxes afterwards. */
static void a_host_without_room_for_the_directory_is_told(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes", rig.dir);

	(void)state;
	assert_int_equal(rmdir(path), 0);
	boot_start(&shape);
	assert_failed_because("make directory");
	assert_int_equal(rig.engine->calls[FAKE_CREATE], 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SANDBOX_TEST(a_sandbox_becomes_a_spare_once_its_agent_has_said_hello),
		SANDBOX_TEST(docker_is_told_the_directory_the_user_and_the_shape),
		SANDBOX_TEST(the_sandboxes_user_can_reach_its_directory_whatever_the_umask),
		SANDBOX_TEST(hello_may_come_in_any_pieces),
		SANDBOX_TEST(hello_may_come_before_docker_says_that_the_container_was_started),
		SANDBOX_TEST(a_sandbox_whose_agent_is_up_outlives_a_start_docker_never_confirms),
		SANDBOX_TEST(living_sandboxes_have_users_of_their_own_and_a_user_rests_after_use),
		SANDBOX_TEST(nobody_else_can_connect_once_the_agent_has),
		SANDBOX_TEST(a_sandbox_is_no_spare_before_its_cgroup_is_open),
		SANDBOX_TEST(a_sandbox_without_its_cgroup_is_a_spare_all_the_same),
		SANDBOX_TEST(an_agent_that_goes_while_its_cgroup_is_looked_for_is_told_and_what_comes_late_is_closed),
		SANDBOX_TEST(an_agent_that_does_not_say_hello_as_it_should_is_not_kept),
		SANDBOX_TEST(an_agent_that_goes_before_it_says_hello_is_told),
		SANDBOX_TEST(an_agent_that_goes_in_the_middle_of_hello_is_told),
		SANDBOX_TEST(an_agent_without_its_log_connection_is_not_kept),
		SANDBOX_TEST(whoever_says_hello_before_the_container_can_run_is_not_believed),
		SANDBOX_TEST(a_container_that_ends_before_hello_is_told),
		SANDBOX_TEST(a_boot_that_takes_too_long_is_given_up),
		SANDBOX_TEST(a_creation_docker_refuses_is_told_in_its_words),
		SANDBOX_TEST(a_start_docker_refuses_is_told_in_its_words_and_the_container_removed),
		SANDBOX_TEST(an_engine_that_goes_during_a_start_leaves_nothing_behind_once_it_is_back),
		SANDBOX_TEST(a_spare_that_ends_as_soon_as_it_is_up_counts_as_a_bad_start),
		SANDBOX_TEST(a_host_without_room_for_the_directory_is_told),
	};

	return cmocka_run_group_tests(tests, sandbox_rig_set_up, engine_rig_tear_down);
}
