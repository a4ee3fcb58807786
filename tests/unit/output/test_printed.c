#include "output/printed.h"

#include "base/mem.h"

#include "tests/unit/unit.h"

#define MARK         PRINTED_SWITCH
#define LEVEL(digit) PRINTED_MARK("level" digit)

struct piece {
	enum printed_stream stream;
	const char *text;
	size_t len;
	int64_t ms;
};

#define OUT(text, ms)                                                                                                          \
	{                                                                                                                      \
		PRINTED_STDOUT, text, sizeof(text) - 1, ms                                                                     \
	}
#define ERR(text, ms)                                                                                                          \
	{                                                                                                                      \
		PRINTED_STDERR, text, sizeof(text) - 1, ms                                                                     \
	}

struct fixture {
	struct printed printed;
	struct printed_log log, late;
	bool follows;
	struct mask *mask;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	printed_free(&f->printed);
	printed_log_free(&f->log);
	printed_log_free(&f->late);
	mask_free(&f->mask);
	free(f);
	return 0;
}

static void take(struct fixture *f, const struct piece *p)
{
	char *to = printed_reserve(&f->printed, p->stream, p->len);

	memcpy(to, p->text, p->len);
	printed_take(&f->printed, p->stream, p->len, p->ms);
}

static void begin(struct fixture *f, size_t room, const char *secret)
{
	mask_free(&f->mask);
	f->mask = mask_new(secret, secret != NULL ? strlen(secret) + 1 : 0);
	printed_begin(&f->printed, room, f->mask, f->follows);
}

static void assert_log(const struct fixture *f, const char *text, size_t text_len, const char *streams, size_t streams_len)
{
	assert_int_equal(f->log.text.len, text_len);
	assert_memory_equal(buf_str(&f->log.text), text, text_len);
	assert_int_equal(f->log.streams.len, streams_len);
	assert_memory_equal(buf_str(&f->log.streams), streams, streams_len);
}
#define ASSERT_LOG(f, text, streams) assert_log(f, text, sizeof(text) - 1, streams, sizeof(streams) - 1)

static void assert_levels(const struct fixture *f, const char *levels, size_t len)
{
	assert_int_equal(f->log.levels.len, len);
	assert_memory_equal(buf_str(&f->log.levels), levels, len);
}
#define ASSERT_LEVELS(f, levels) assert_levels(f, levels, sizeof(levels) - 1)

#define PRINT(f, room, secret, ...)                                                                                            \
	do {                                                                                                                   \
		const struct piece pieces_[] = {__VA_ARGS__};                                                                  \
		begin(f, room, secret);                                                                                        \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(pieces_); i_++)                                                            \
			take(f, &pieces_[i_]);                                                                                 \
		printed_finish(&(f)->printed, &(f)->log, &(f)->late, 100, 5);                                                  \
	} while (0)

static void what_goes_to_stdout_alone_is_kept_as_it_is(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT("one\n", 3), OUT("t\0o\xff\n", 3), OUT("three", 9));
	ASSERT_LOG(f, "one\nt\0o\xff\nthree", "");
	ASSERT_LEVELS(f, "");
	assert_int_equal(f->log.bytes, 14);
	assert_int_equal(f->log.times.len, 4);
	assert_memory_equal(f->log.times.data, "\0\3\11\6", 4);
}

static void marks_tell_the_order_however_late_the_streams_are_read(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT("a\n" MARK MARK "c\n", 5), ERR(MARK "b\n" MARK, 5));
	ASSERT_LOG(f, "a\nb\nc\n", "\2\2");
	PRINT(f, 100, NULL, ERR("b\n" MARK, 7), OUT(MARK "c\n", 2));
	ASSERT_LOG(f, "b\nc\n", "\0\2");
	assert_int_equal(f->log.bytes, 4);
}

static void without_marks_what_was_read_earlier_comes_first(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT("a\n", 1), ERR("b\n", 2), OUT("c\n", 3), ERR("e\n", 4), OUT("d\n", 4));
	ASSERT_LOG(f, "a\nb\nc\nd\ne\n", "\2\2\4");
}

static void a_mark_may_come_in_two_pieces_and_its_beginning_may_be_none(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT("a\n\xff\0ber", 1),
	      OUT("th:switch\0\xff"
		  "c\n",
		  2),
	      ERR(MARK "b\n", 2));
	ASSERT_LOG(f, "a\nc\nb\n", "\4");
	PRINT(f, 100, NULL, OUT("a\xff\0ber", 1), OUT("lin\n\xff\xff\0berth", 2));
	ASSERT_LOG(f, "a\xff\0berlin\n\xff\xff\0berth", "");
	assert_int_equal(f->log.bytes, 18);
}

static void both_streams_share_the_room_and_marks_take_none(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 4, NULL, OUT("abc" MARK "d", 1), ERR(MARK "xyz" MARK, 2), OUT("\xff\0ber", 3));
	ASSERT_LOG(f, "abcd", "");
	assert_int_equal(f->log.bytes, 4 + 3 + 5);
	PRINT(f, 0, NULL, OUT("abc" MARK, 1));
	ASSERT_LOG(f, "", "");
	assert_int_equal(f->log.bytes, 3);
	assert_int_equal(printed_bytes(&f->printed), 3);
}

static void secrets_are_masked_across_reads_and_where_the_log_is_cut(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, "hunter2-hunter2", OUT("my hunter2-", 1), OUT("hunter2!\n", 2), ERR("hunter2-hunter2", 3),
	      OUT("on\n", 4));
	ASSERT_LOG(f, "my ***!\n***on\n", "\10\3");
	assert_int_equal(f->log.bytes, 14);
	assert_memory_equal(f->log.times.data, "\0\1\6\1\2\1\3\1", 8); /* "my ***" at 1 ms, "!" at 2, … */
	PRINT(f, 10, "hunter2-hunter2", OUT("my hunter2-hunter2!\n", 1));
	ASSERT_LOG(f, "my ***", "");
	assert_int_equal(f->log.bytes, 6 + 10);
	PRINT(f, 10, "hunter2-hunter2", OUT("my hunter2", 1));
	ASSERT_LOG(f, "my hunter2", "");
}

static void a_secret_with_a_mark_in_its_middle_is_masked(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, "hunter2-hunter2", OUT("hunter2-" MARK MARK "hunter2", 1), ERR(MARK "x" MARK, 1));
	ASSERT_LOG(f, "***x", "\3");
}

/* ---- Levels ---- */

static void entries_have_the_level_of_the_mark_that_begins_them(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT("a\n" LEVEL("4") "b\nc\n" LEVEL("0") "d\n", 5));
	ASSERT_LOG(f, "a\nb\nc\nd\n", "");
	ASSERT_LEVELS(f, "\2\10\4\0");
	PRINT(f, 100, NULL, OUT(LEVEL("1") "a" LEVEL("2") "b" LEVEL("3") "c" LEVEL("4") "d" LEVEL("5") "e" LEVEL("6") "f", 5));
	ASSERT_LOG(f, "abcdef", "");
	ASSERT_LEVELS(f, "\0\2\1\4\1\6\1\10\1\12\1\14");
	PRINT(f, 100, NULL, OUT("as before\n", 5));
	ASSERT_LEVELS(f, "");
}

static void two_entries_of_the_same_level_stay_two(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT(LEVEL("2") "a\n" LEVEL("0") LEVEL("2") "b\n" LEVEL("0"), 5));
	ASSERT_LOG(f, "a\nb\n", "");
	ASSERT_LEVELS(f, "\0\4\2\4");
}

static void each_stream_has_its_own_entries(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT(LEVEL("2") "a", 1), ERR(LEVEL("6") "b\n", 2), OUT("c\n" LEVEL("0") "d\n", 3),
	      ERR(LEVEL("0") "e\n", 4));
	ASSERT_LOG(f, "ab\nc\nd\ne\n", "\1\2\4");
	ASSERT_LEVELS(f, "\0\4\1\15\4\0\2\1");
	PRINT(f, 100, NULL, OUT("a\n" MARK MARK LEVEL("4") "c\n" LEVEL("0"), 5), ERR(MARK LEVEL("3") "b\n" LEVEL("0") MARK, 5));
	ASSERT_LOG(f, "a\nb\nc\n", "\2\2");
	ASSERT_LEVELS(f, "\2\7\2\10");
}

static void a_mark_of_a_level_may_come_in_pieces_and_others_are_text(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT("a\n\xff\0berth:lev", 1), OUT("el5", 2), OUT("\0", 2),
	      OUT("\xff"
		  "b\n",
		  3));
	ASSERT_LOG(f, "a\nb\n", "");
	ASSERT_LEVELS(f, "\2\12");
	assert_int_equal(f->log.bytes, 4);
	PRINT(f, 100, NULL, OUT(LEVEL("7") PRINTED_MARK("LEVEL1") PRINTED_MARK("level") "\xff\0berth:level1", 1));
	assert_int_equal(f->log.text.len, 16 + 16 + 15 + 14);
	ASSERT_LEVELS(f, "");
}

static void an_entry_does_not_go_on_in_the_next_log(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT(LEVEL("6") "a", 1));
	PRINT(f, 100, NULL, OUT("b\n", 1));
	ASSERT_LEVELS(f, "");
}

static void marks_of_levels_take_no_room_and_none_are_told_where_the_log_is_cut(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 4, NULL, OUT(LEVEL("2") "abc" LEVEL("0") LEVEL("4") "de" LEVEL("0") LEVEL("5") "f" LEVEL("0"), 1));
	ASSERT_LOG(f, "abcd", "");
	ASSERT_LEVELS(f, "\0\4\3\10");
	assert_int_equal(f->log.bytes, 6);
}

static void secrets_are_masked_across_the_marks_of_levels(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, "hunter2-hunter2", OUT("x" LEVEL("5") "hunter2-" LEVEL("0") "hunter2" LEVEL("4") "y\n", 1));
	ASSERT_LOG(f, "x***y\n", "");
	ASSERT_LEVELS(f, "\1\12\3\10");
}

/* However many marks a function writes, a stream has NOTES_MAX notes. */
static void a_function_that_writes_marks_for_ever_gets_a_log_of_bounded_size(void **state)
{
	static const struct piece piece = OUT(LEVEL("5") "a" LEVEL("0") LEVEL("0") LEVEL("3"), 1),
				  more = ERR(LEVEL("2") "b", 1);
	struct fixture *f = *state;

	begin(f, 1u << 20, NULL);
	for (int i = 0; i < 200000; i++) {
		take(f, &piece);
		take(f, &more);
	}
	printed_finish(&f->printed, &f->log, NULL, 0, 0);
	assert_int_equal(f->log.text.len, 400000);
	assert_in_range(f->log.levels.len, 2 * 2 * 65536, 2 * 2 * 65536 + 4); /* two bytes per note, but for the last ones */
}

static void assert_late(const struct fixture *f, const char *text)
{
	assert_int_equal(f->late.text.len, strlen(text));
	assert_memory_equal(buf_str(&f->late.text), text, strlen(text));
}

static void what_comes_before_the_mark_of_an_invocation_is_late_output_of_the_one_before(void **state)
{
	struct fixture *f = *state;

	f->follows = true;
	PRINT(f, 100, NULL, OUT("late\n" LEVEL("4") "odd\n", 1), ERR("broken\n" PRINTED_INVOKE, 2),
	      OUT(PRINTED_INVOKE "mine\n", 3));
	ASSERT_LOG(f, "mine\n", "");
	ASSERT_LEVELS(f, "");
	assert_int_equal(f->log.bytes, 5);
	assert_late(f, "late\nodd\nbroken\n");
	assert_int_equal(f->late.bytes, 16);
	assert_int_equal(f->late.times.data[1], 1 + 5);
	f->follows = false;
}

static void late_output_takes_no_room_from_the_invocation_and_has_its_own(void **state)
{
	struct fixture *f = *state;
	const struct piece flood = OUT("0123456789", 0), mine = OUT("abcdefghijkl", 1);

	f->follows = true;
	begin(f, 10, NULL);
	take(f, &flood);
	take(f, &flood);
	printed_late(&f->printed);
	take(f, &mine);
	printed_finish(&f->printed, &f->log, &f->late, 4, 0);
	assert_int_equal(f->log.text.len, 10);
	assert_int_equal(f->log.bytes, 12);
	assert_late(f, "0123");
	assert_int_equal(f->late.bytes, 20);
	f->follows = false;
}

static void without_an_invocation_before_there_is_no_late_output(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, OUT("loading\n" PRINTED_INVOKE "mine\n", 1));
	ASSERT_LOG(f, "loading\nmine\n", "");
	assert_late(f, "");
}

static void only_the_first_mark_of_an_invocation_counts(void **state)
{
	struct fixture *f = *state;

	f->follows = true;
	PRINT(f, 100, NULL, OUT("late\n" PRINTED_INVOKE "mine\n" PRINTED_INVOKE "too\n", 1));
	ASSERT_LOG(f, "mine\ntoo\n", "");
	assert_late(f, "late\n");
	f->follows = false;
}

static void secrets_in_late_output_are_masked_too(void **state)
{
	struct fixture *f = *state;

	f->follows = true;
	PRINT(f, 100, "hushhush", OUT("a hushhush b\n" PRINTED_INVOKE "c hushhush d\n", 1));
	ASSERT_LOG(f, "c *** d\n", "");
	assert_late(f, "a *** b\n");
	f->follows = false;
}

static void errors_that_nobody_caught_are_counted(void **state)
{
	struct fixture *f = *state;

	PRINT(f, 100, NULL, ERR(PRINTED_FAILED "boom\n" PRINTED_FAILED "bang\n", 1));
	assert_int_equal(f->printed.failures, 2);
	ASSERT_LOG(f, "boom\nbang\n", "\0");
}

static void what_follows_the_last_note_is_in_no_entry(void **state)
{
	static const struct piece piece = OUT(LEVEL("4") "a", 1);
	struct fixture *f = *state;

	begin(f, 1u << 20, NULL);
	for (int i = 0; i < 65536 + 10; i++)
		take(f, &piece);
	printed_finish(&f->printed, &f->log, NULL, 0, 0);
	assert_int_equal(f->log.levels.len, 2 * 65536);
	assert_memory_equal(f->log.levels.data + f->log.levels.len - 4, "\1\10\1\0", 4);
}

static void assert_end(const struct fixture *f, enum printed_stream stream, const char *text)
{
	struct str end = printed_end(&f->printed, stream);

	assert_int_equal(end.len, strlen(text));
	assert_memory_equal(end.data, text, end.len);
}

static void the_end_of_a_stream_is_known_whether_or_not_there_was_room(void **state)
{
	struct fixture *f = *state;
	AUTO(mem_free) char *many = mem_alloc(PRINTED_END_SIZE);

	PRINT(f, 100, NULL, OUT("out", 1), ERR(MARK "the end\n", 1));
	assert_end(f, PRINTED_STDOUT, "out");
	assert_end(f, PRINTED_STDERR, "the end\n");
	PRINT(f, 6, NULL, OUT("o", 1), ERR("the e", 1), ERR("nd", 2), ERR(MARK "\n", 3));
	ASSERT_LOG(f, "othe e", "\1");
	assert_end(f, PRINTED_STDERR, "the end\n");
	PRINT(f, 0, NULL, ERR("the end\n", 1));
	assert_end(f, PRINTED_STDERR, "the end\n");
	assert_end(f, PRINTED_STDOUT, "");

	memset(many, 'x', PRINTED_END_SIZE);
	for (size_t room = 0; room <= 3 * PRINTED_END_SIZE; room += PRINTED_END_SIZE) {
		begin(f, room, NULL);
		for (int i = 0; i < 5; i++)
			take(f, &(struct piece){PRINTED_STDERR, many, PRINTED_END_SIZE, 1});
		take(f, &(struct piece)ERR("end", 1));
		struct str end = printed_end(&f->printed, PRINTED_STDERR);
		assert_int_equal(end.len, PRINTED_END_SIZE);
		assert_memory_equal(end.data, many, PRINTED_END_SIZE - 3);
		assert_memory_equal(end.data + end.len - 3, "end", 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_goes_to_stdout_alone_is_kept_as_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(marks_tell_the_order_however_late_the_streams_are_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_marks_what_was_read_earlier_comes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_mark_may_come_in_two_pieces_and_its_beginning_may_be_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(both_streams_share_the_room_and_marks_take_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_are_masked_across_reads_and_where_the_log_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_secret_with_a_mark_in_its_middle_is_masked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(entries_have_the_level_of_the_mark_that_begins_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_entries_of_the_same_level_stay_two, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_stream_has_its_own_entries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_mark_of_a_level_may_come_in_pieces_and_others_are_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_entry_does_not_go_on_in_the_next_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(marks_of_levels_take_no_room_and_none_are_told_where_the_log_is_cut, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(secrets_are_masked_across_the_marks_of_levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_function_that_writes_marks_for_ever_gets_a_log_of_bounded_size, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_comes_before_the_mark_of_an_invocation_is_late_output_of_the_one_before,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(late_output_takes_no_room_from_the_invocation_and_has_its_own, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_an_invocation_before_there_is_no_late_output, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_the_first_mark_of_an_invocation_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_in_late_output_are_masked_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_that_nobody_caught_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_follows_the_last_note_is_in_no_entry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_end_of_a_stream_is_known_whether_or_not_there_was_room, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
