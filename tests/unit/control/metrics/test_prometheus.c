#include "control/metrics/prometheus.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

struct fixture {
	struct conf *conf;
	struct scoreboard *board;
	struct buf text;
};

static const struct {
	const char *name, *type, *source;
} families[] = {
#define FAMILY(name, type, source, write, help) {#name, #type, #source},
#include "control/metrics/prometheus.def"
#undef FAMILY
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;
	int fd;

	assert_int_equal(conf_load_file(NULL, &f->conf, NULL), 0);
	assert_ok(scoreboard_create(2, &f->board, &fd, &err));
	close(fd);
	scoreboard_set_used(f->board, 2);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	buf_free(&f->text);
	scoreboard_close(&f->board);
	conf_free(&f->conf);
	free(f);
	return 0;
}

static void poolmgr_is(struct fixture *f, enum slot_state state)
{
	struct slot *slot = scoreboard_slot(f->board, 0);

	slot->role = CHILD_POOLMGR;
	slot->pid = 4711;
	slot->state = state;
}

static void write_all(struct fixture *f)
{
	buf_reset(&f->text);
	prometheus_write(f->board, f->conf, &f->text);
}

static void assert_line(const struct fixture *f, const char *line)
{
	AUTO(mem_free) char *whole = mem_printf("\n%s\n", line);

	if (strstr(buf_str(&f->text), whole) == NULL)
		fail_msg("no line '%s' in: %s", line, buf_str(&f->text));
}

static bool has_family(const struct fixture *f, const char *name)
{
	AUTO(mem_free) char *help = mem_printf("# HELP %s ", name);

	return strstr(buf_str(&f->text), help) != NULL;
}

static void every_family_of_the_table_is_told_and_has_samples(void **state)
{
	struct fixture *f = *state;

	poolmgr_is(f, SLOT_IDLE);
	*scoreboard_certificate_ends_s(f->board) = 1700000000;
	write_all(f);
	assert_line(f, "berth_certificate_not_after_seconds 1700000000");
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		AUTO(mem_free)
		char *begin = mem_printf("# TYPE %s %s\n%s", families[i].name, families[i].type, families[i].name);
		if (strstr(buf_str(&f->text), begin) == NULL)
			fail_msg("no sample of %s", families[i].name);
		assert_true(has_family(f, families[i].name));
	}
}

static void every_family_is_documented_and_nothing_else(void **state)
{
	const char *srcdir = getenv("srcdir"); /* automake's */
	AUTO(mem_free) char *path = mem_printf("%s/scripts/monitoring/metrics.md", srcdir ?: ".");
	FILE *file = fopen(path, "re");
	char line[1024], name[128], type[32];
	size_t rows = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "| `%127[a-z_]` | %31[a-z] |", name, type) != 2)
			continue;
		if (rows == ARRAY_SIZE(families))
			fail_msg("%s is no metric", name);
		assert_string_equal(name, families[rows].name);
		assert_string_equal(type, families[rows].type);
		rows++;
	}
	fclose(file);
	assert_int_equal(rows, ARRAY_SIZE(families));
}

/* What it said last may be long over. */
static void the_pools_numbers_are_left_out_while_poolmgr_is_not_there(void **state)
{
	static const enum slot_state away[] = {SLOT_FREE, SLOT_STARTING, SLOT_STOPPING};
	struct fixture *f = *state;

	*scoreboard_gauge(f->board, GAUGE_waiting) = 7;
	for (size_t i = 0; i < ARRAY_SIZE(away); i++) {
		poolmgr_is(f, away[i]);
		write_all(f);
		assert_line(f, "berth_poolmgr_up 0");
		for (size_t k = 0; k < ARRAY_SIZE(families); k++)
			assert_int_equal(has_family(f, families[k].name), strcmp(families[k].source, "BOARD") == 0);
	}
	poolmgr_is(f, SLOT_IDLE);
	write_all(f);
	assert_line(f, "berth_poolmgr_up 1");
	assert_line(f, "berth_requests_waiting 7");
}

static void a_poolmgr_that_shows_no_sign_of_life_is_not_up(void **state)
{
	struct fixture *f = *state;

	poolmgr_is(f, SLOT_IDLE);
	scoreboard_slot(f->board, 0)->beat_us = clock_mono_us() - SLOT_SILENT_US / 2;
	write_all(f);
	assert_line(f, "berth_poolmgr_up 1");
	assert_line(f, "berth_processes_silent{role=\"poolmgr\"} 0");
	scoreboard_slot(f->board, 0)->beat_us = clock_mono_us() - SLOT_SILENT_US;
	write_all(f);
	assert_line(f, "berth_poolmgr_up 0");
	assert_line(f, "berth_processes_silent{role=\"poolmgr\"} 1");
	assert_false(has_family(f, "berth_requests_waiting"));
}

static void what_workers_and_poolmgr_have_put_there_is_told_with_its_labels(void **state)
{
	static const struct tally_invocation failed = {.runtime = "gvisor",
						       .start = IPC_START_COLD,
						       .error = 0,
						       .us = {[TALLY_RESPONSE] = 2000000, [TALLY_EXEC] = 600}};
	struct fixture *f = *state;

	poolmgr_is(f, SLOT_IDLE);
	tally_count(scoreboard_tally(f->board, 1), &failed);
	*scoreboard_runtime_gauge(f->board, 1, RUNTIME_GAUGE_spare) = 3;
	*scoreboard_counter(f->board, COUNT_KILL_TIMEOUT) = 4;
	scoreboard_count_failure(f->board, CHILD_INVOKE);
	write_all(f);
	assert_line(f, "berth_invocations_total{runtime=\"gvisor\",start_kind=\"cold\"} 1");
	assert_line(f, "berth_invocations_total{runtime=\"docker\",start_kind=\"cold\"} 0");
	assert_line(f, "berth_invocation_errors_total{runtime=\"gvisor\",code=\"invalid_json\"} 1");
	assert_line(f, "berth_invocation_duration_seconds_bucket{runtime=\"gvisor\",le=\"1.024\"} 0");
	assert_line(f, "berth_invocation_duration_seconds_bucket{runtime=\"gvisor\",le=\"2.048\"} 1");
	assert_line(f, "berth_invocation_duration_seconds_sum{runtime=\"gvisor\"} 2");
	assert_line(f, "berth_invocation_exec_seconds_bucket{runtime=\"gvisor\",le=\"0.0005\"} 0");
	assert_line(f, "berth_invocation_exec_seconds_bucket{runtime=\"gvisor\",le=\"+Inf\"} 1");
	assert_line(f, "berth_sandboxes{runtime=\"gvisor\",state=\"spare\"} 3");
	assert_line(f, "berth_sandbox_kills_total{reason=\"timeout\"} 4");
	assert_line(f, "berth_process_failures_total{role=\"invoke\"} 1");
	assert_line(f, "berth_processes{role=\"poolmgr\",state=\"idle\"} 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_family_of_the_table_is_told_and_has_samples, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_family_is_documented_and_nothing_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_pools_numbers_are_left_out_while_poolmgr_is_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_poolmgr_that_shows_no_sign_of_life_is_not_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_workers_and_poolmgr_have_put_there_is_told_with_its_labels, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
