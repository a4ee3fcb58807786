/* The events that Docker Engine reports. */
#include <malloc.h>

#include "base/mem.h"
#include "tests/unit/runtimes/engine/docker_rig.h"

/* ---- Events ---- */

static void emit_text(const char *text)
{
	fake_docker_emit(rig.engine, text, strlen(text));
}

static void the_end_of_a_container_is_told(void **state)
{
	(void)state;
	assert_false(start_container(ID).failed);
	fake_docker_die(rig.engine, ID, true);
	WAIT_FOR(rig.deaths > 0);
	assert_string_equal(rig.died, ID);
	assert_int_equal(rig.deaths, 1);
	assert_int_equal(rig.died_code, 137);
}

static void the_exit_code_is_told_when_the_event_has_one(void **state)
{
	static const struct {
		const char *said;
		int told;
	} codes[] = {{"0", 0},  {"1", 1},   {"255", 255}, {NULL, -1},  {"", -1},
		     {"x", -1}, {"1x", -1}, {"-1", -1},   {"256", -1}, {"99999999999999999999", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, codes[i].said);
		AUTO(mem_free) char *line = mem_printf("%s\n", event);
		fake_docker_emit(rig.engine, line, strlen(line));
		WAIT_FOR(rig.deaths == (int)i + 1);
		assert_int_equal(rig.died_code, codes[i].told);
	}
}

static void a_signal_to_a_container_is_told_and_is_no_death(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, NULL);

	(void)state;
	memcpy(strstr(event, "\"die\""), "\"kill", 5);
	AUTO(mem_free)
	char *line = mem_printf("%.*s\"%s\n", (int)(strstr(event, "\"kill") + 5 - event), event, strstr(event, "\"kill") + 5);
	fake_docker_emit(rig.engine, line, strlen(line));
	WAIT_FOR(rig.signals == 1);
	assert_string_equal(rig.died, ID);
	assert_int_equal(rig.deaths, 0);
}

static void only_ends_of_this_instances_containers_are_asked_for(void **state)
{
	fake_docker_end_events(rig.engine);

	(void)state;
	WAIT_FOR(rig.engine->calls[FAKE_EVENTS] > 0);
	const char *path = rig.engine->last_path[FAKE_EVENTS];
	assert_non_null(strstr(path, "\"label\":[\"berth.instance=unit\"]"));
	assert_non_null(strstr(path, "\"type\":[\"container\"]"));
	assert_non_null(strstr(path, "\"event\":[\"die\",\"kill\"]"));
}

static void an_event_may_come_in_any_pieces(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, "137");
	size_t len = strlen(event);

	(void)state;
	for (size_t i = 0; i < len; i++)
		fake_docker_emit(rig.engine, event + i, 1);
	rig_barrier();
	assert_int_equal(rig.deaths, 0);
	emit_text("\n");
	WAIT_FOR(rig.deaths == 1);
	assert_string_equal(rig.died, ID);

	/* The end of one event and the start of the next in one piece. */
	AUTO(mem_free) char *pieces = mem_printf("%s\n%s\n%.20s", event, event, event);
	emit_text(pieces);
	WAIT_FOR(rig.deaths == 3);
	emit_text(event + 20);
	emit_text("\r\n");
	WAIT_FOR(rig.deaths == 4);
}

static void lines_that_are_no_events_of_ours_are_passed_over(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, "137");

	(void)state;
	emit_text("\n\n{}\ngarbage\n[1]\n{\"Actor\":7}\n{\"Actor\":{\"Attributes\":{\"berth.sandbox\":false}}}\n\xff\n");
	emit_text(event);
	emit_text("\n");
	WAIT_FOR(rig.deaths > 0);
	assert_int_equal(rig.deaths, 1);
	assert_string_equal(rig.died, ID);
}

/* Bytes; under a sanitizer almost none are counted. */
static size_t allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void a_line_without_end_is_dropped_and_the_next_one_heard(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, "137");
	char piece[4096];

	(void)state;
	memset(piece, 'x', sizeof(piece));
	size_t before = allocated();
	for (int i = 0; i < 1000; i++) {
		fake_docker_emit(rig.engine, piece, sizeof(piece));
		rig_turn();
	}
	rig_barrier();
	assert_in_range(allocated(), 0, before + 1000000);
	emit_text("\n");
	emit_text(event);
	emit_text("\n");
	WAIT_FOR(rig.deaths == 1);
}

static void an_event_stream_that_ended_is_opened_again_and_the_owner_told_to_compare(void **state)
{
	AUTO(mem_free) char *event = fake_docker_event_new("unit", ID, "137");

	(void)state;
	emit_text("{\"half\":"); /* dropped with its stream */
	rig_barrier();
	fake_docker_end_events(rig.engine);
	WAIT_FOR(fake_docker_streams(rig.engine) == 1);
	WAIT_FOR(rig.ups == 1);
	assert_int_equal(rig.downs, 0);
	emit_text(event);
	emit_text("\n");
	WAIT_FOR(rig.deaths == 1);
}

static void an_engine_that_refuses_events_is_not_hammered(void **state)
{
	int64_t start_us = clock_mono_us();

	(void)state;
	rig.engine->manner[FAKE_EVENTS] = (struct fake_manner){.status = 500, .body = "{\"message\":\"no events here\"}"};
	fake_docker_end_events(rig.engine);
	WAIT_FOR(rig.engine->calls[FAKE_EVENTS] == 3);
	assert_true(clock_mono_us() - start_us > 1000000);
	assert_true(docker_is_up(rig.docker));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_rig_each, docker_rig_after_each)
	const struct CMUnitTest tests[] = {
		TEST(the_end_of_a_container_is_told),
		TEST(the_exit_code_is_told_when_the_event_has_one),
		TEST(a_signal_to_a_container_is_told_and_is_no_death),
		TEST(only_ends_of_this_instances_containers_are_asked_for),
		TEST(an_event_may_come_in_any_pieces),
		TEST(lines_that_are_no_events_of_ours_are_passed_over),
		TEST(a_line_without_end_is_dropped_and_the_next_one_heard),
		TEST(an_event_stream_that_ended_is_opened_again_and_the_owner_told_to_compare),
		TEST(an_engine_that_refuses_events_is_not_hammered),
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
