#include "poolmgr/sandbox/bill.h"

#include <dirent.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/record.h"
#include "output/printed.h"
#include "tests/unit/poolmgr/sandbox_rig.h"

#define SLOT 2

static struct scoreboard *board;
static bool file_is_open; /* the spool file, from the first record on */

static int each(void **state)
{
	AUTO(fd_close) int fd = -1;
	struct err err;

	sandbox_rig_each(state);
	version.function_id = (struct uuid){{9, 8, 7}};
	assert_ok(scoreboard_create(4, &board, &fd, &err));
	bill_init(rig.conf, board, SLOT);
	return 0;
}

static int after_each(void **state)
{
	WAIT_FOR(!bill_is_pending());
	scoreboard_close(&board);
	rig.conf->spool_enabled = true;
	if (!file_is_open && rig_exists("spool")) {
		sandbox_rig_keep_fd();
		file_is_open = true;
	}
	return sandbox_rig_nothing_leaks(state);
}

/* IDLE, with so much used when its last invocation ended. */
static struct sandbox *create_used(const struct fake_cgroup *c, int64_t cpu_read_us)
{
	struct sandbox *s = create_with(1, c);

	s->version = version_ref(&version);
	sandbox_set_state(s, SANDBOX_ASSIGNED);
	sandbox_set_state(s, SANDBOX_LEASED);
	s->cpu_read_us = cpu_read_us;
	sandbox_set_state(s, SANDBOX_IDLE);
	return s;
}

static void write_all(void)
{
	bill_tick(clock_mono_us(), true);
	WAIT_FOR(!bill_is_pending());
}

/* How many records are in the spool; the last is *last. Its strings are in text. */
static int read_spool(struct record *last, char **text)
{
	AUTO(mem_free) char *path = mem_printf("%s/spool", rig.dir);
	DIR *dir = opendir(path);
	int count = 0;

	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		AUTO(mem_free) char *file = mem_printf("%s/%s", path, e->d_name);
		struct uuid key;
		struct err err;
		size_t len, at = 0;
		if (!record_spool_key(e->d_name, &key))
			continue;
		mem_free(text);
		assert_ok(fd_read_file(file, 1 << 20, text, &len, &err));
		for (ptrdiff_t n; at < len; at += (size_t)n, count++) {
			n = record_decode(*text + at, len - at, &key, last, &err);
			assert_true(n > 0);
		}
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

static void what_a_sandbox_used_after_its_last_invocation_is_put_on_record_when_it_ends(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(mem_free) char *text = NULL;
	struct record r;

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_used(&c, 1000);
	fake_cgroup_say(&c, CGROUP_CPU, "51000000\n");
	sandbox_kill(s, COUNT_KILL_USED_UP);
	write_all();
	assert_int_equal(read_spool(&r, &text), 1);
	assert_int_equal(r.background_us, 50000);
	assert_false(record_is_invocation(&r));
	assert_memory_equal(&r.function_id, &version.function_id, sizeof(r.function_id));
	assert_int_equal(r.version, 7);
	assert_int_equal(r.cpu_us, RECORD_UNKNOWN);
	assert_memory_equal(r.runtime.data, "docker", 6);
	assert_int_equal(scoreboard_tally(board, SLOT)->background_us[0], 50000);
}

static void what_several_of_a_version_used_is_added_up(void **state)
{
	AUTO(mem_free) char *text = NULL;
	struct record r;

	(void)state;
	int before = read_spool(&r, &text);
	bill_add(&version, 3000);
	bill_add(&version, 4000);
	write_all();
	assert_int_equal(read_spool(&r, &text), before + 1);
	assert_int_equal(r.background_us, 7000);
}

/* Its record has it. */
static void what_an_invocation_under_way_used_is_not_billed_once_more(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_used(&c, 1000);
	sandbox_set_state(s, SANDBOX_LEASED);
	s->holder = (struct client *)s;
	fake_cgroup_say(&c, CGROUP_CPU, "51000000\n");
	sandbox_kill(s, COUNT_KILL_REVOKED);
	assert_false(bill_is_pending());
}

static void what_is_not_worth_a_record_gets_none(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_used(&c, 1000);
	fake_cgroup_say(&c, CGROUP_CPU, "1999000\n");
	sandbox_kill(s, COUNT_KILL_USED_UP);
	assert_false(bill_is_pending());
}

/* The files of a cgroup say nothing any more when all in it has ended. */
static void what_was_seen_while_it_was_idle_is_billed_when_nothing_is_left_to_read(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(mem_free) char *text = NULL;
	struct record r;

	(void)state;
	fake_warden_start();
	struct sandbox *s = create_used(&c, 1000);
	WAIT_FOR(docker_is_heard(rig.docker));
	fake_cgroup_say(&c, CGROUP_CPU, "15000000\n");
	tick(s->since_us + 50000);
	fake_cgroup_say(&c, CGROUP_CPU, "");
	sandbox_died(s, 0);
	write_all();
	read_spool(&r, &text);
	assert_int_equal(r.background_us, 14000);
}

static void late_output_is_put_on_record_for_its_invocation(void **state)
{
	AUTO(mem_free) char *text = NULL;
	const struct uuid id = {{5}};
	AUTO(printed_log_free) struct printed_log log = {.bytes = 9};
	struct record r;

	(void)state;
	int before = read_spool(&r, &text);
	buf_add_str(&log.text, "too late");
	bill_add_late(&version, &id, 1234567, &log, 2);
	write_all();
	assert_int_equal(read_spool(&r, &text), before + 1);
	assert_true(record_is_late(&r));
	assert_int_equal(r.invocation_id.bytes[0], 5);
	assert_int_equal(r.late_for_us, 1234567);
	assert_memory_equal(&r.function_id, &version.function_id, sizeof(r.function_id));
	assert_memory_equal(r.log.data, "too late", r.log.len);
	assert_int_equal(r.log_bytes, 9);
	assert_int_equal(scoreboard_tally(board, SLOT)->late_errors[0], 2);
}

static void a_full_spool_costs_the_record_and_is_counted(void **state)
{
	AUTO(mem_free) char *text = NULL;
	struct record r;

	(void)state;
	int before = read_spool(&r, &text);
	*scoreboard_spool_bytes(board) = UINT64_MAX;
	bill_add(&version, 3000);
	write_all();
	assert_int_equal(scoreboard_slot(board, SLOT)->dropped_records, 1);
	*scoreboard_spool_bytes(board) = 0;
	rig.conf->spool_enabled = false;
	bill_add(&version, 3000);
	write_all();
	assert_int_equal(scoreboard_slot(board, SLOT)->dropped_records, 1);
	assert_int_equal(read_spool(&r, &text), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, after_each)
		TEST(what_a_sandbox_used_after_its_last_invocation_is_put_on_record_when_it_ends),
		TEST(what_several_of_a_version_used_is_added_up),
		TEST(what_an_invocation_under_way_used_is_not_billed_once_more),
		TEST(what_is_not_worth_a_record_gets_none),
		TEST(what_was_seen_while_it_was_idle_is_billed_when_nothing_is_left_to_read),
		TEST(late_output_is_put_on_record_for_its_invocation),
		TEST(a_full_spool_costs_the_record_and_is_counted),
#undef TEST
	};

	return cmocka_run_group_tests(tests, sandbox_rig_set_up, engine_rig_tear_down);
}
