#include "ipc/frame.h"

#include "tests/unit/unit.h"

#define LIMIT 1000

static const struct {
	enum frame_type type;
	const char *name;
	int from_agent;
} types[] = {
	{FRAME_HELLO, "HELLO", 1},           {FRAME_INIT, "INIT", 0},     {FRAME_READY, "READY", 1},
	{FRAME_INIT_ERROR, "INIT_ERROR", 1}, {FRAME_INVOKE, "INVOKE", 0}, {FRAME_RESULT, "RESULT", 1},
	{FRAME_ERROR, "ERROR", 1},
};

static void make(struct buf *out, enum frame_type type, const char *payload)
{
	buf_reset(out);
	frame_encode(out, type, payload, strlen(payload), NULL, 0);
}

static void what_an_agent_may_send_comes_back(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct frame frame;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		make(&b, types[i].type, "{}");
		if (!types[i].from_agent) {
			assert_fails((int)frame_decode(b.data, b.len, LIMIT, &frame, &err), "no agent may send");
			continue;
		}
		assert_int_equal(frame_decode(b.data, b.len, LIMIT, &frame, &err), FRAME_HEADER_SIZE + 2);
		assert_int_equal(frame.type, types[i].type);
		assert_int_equal(frame.len, 2);
		assert_memory_equal(frame.payload, "{}", 2);
	}
}

static void types_have_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		assert_string_equal(frame_name(types[i].type), types[i].name);
	assert_string_equal(frame_name((enum frame_type)0), "?");
	assert_string_equal(frame_name((enum frame_type)200), "?");
}

static void a_frame_asks_for_more_at_every_shorter_length(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct frame frame = {0};
	struct err err;

	(void)state;
	make(&b, FRAME_RESULT, "{}\n[1,2,3]");
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(frame_decode(b.data, len, LIMIT, &frame, &err), 0);
	assert_null(frame.payload);
}

static void the_next_frame_is_left_alone(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct frame frame;
	struct err err;

	(void)state;
	frame_encode(&b, FRAME_READY, "a", 1, "bc", 2);
	frame_encode(&b, FRAME_RESULT, NULL, 0, NULL, 0);
	assert_int_equal(frame_decode(b.data, b.len, LIMIT, &frame, &err), FRAME_HEADER_SIZE + 3);
	assert_memory_equal(frame.payload, "abc", 3);
	assert_int_equal(frame_decode(b.data + 8, b.len - 8, LIMIT, &frame, &err), FRAME_HEADER_SIZE);
	assert_int_equal(frame.len, 0);
}

static void a_length_over_the_limit_is_refused_before_the_payload_is_there(void **state)
{
	static const unsigned char huge[] = {0xff, 0xff, 0xff, 0xff, FRAME_RESULT};
	static const unsigned char one_more[] = {0, 0, 0x03, 0xe9, FRAME_RESULT}, exact[] = {0, 0, 0x03, 0xe8, FRAME_RESULT};
	struct frame frame;
	struct err err;

	(void)state;
	assert_fails((int)frame_decode(huge, sizeof(huge), LIMIT, &frame, &err), "limit 1000");
	assert_fails((int)frame_decode(one_more, sizeof(one_more), LIMIT, &frame, &err), "of 1001 bytes");
	assert_int_equal(frame_decode(exact, sizeof(exact), LIMIT, &frame, &err), 0);
}

static void a_type_that_does_not_exist_is_refused(void **state)
{
	struct frame frame;
	struct err err;

	(void)state;
	for (int type = 0; type < 256; type++) {
		unsigned char header[FRAME_HEADER_SIZE] = {0, 0, 0, 0, (unsigned char)type};
		if (type >= FRAME_HELLO && type <= FRAME_ERROR)
			continue;
		assert_fails((int)frame_decode(header, sizeof(header), LIMIT, &frame, &err), "frame of type");
	}
}

static void a_payload_is_split_at_its_first_newline(void **state)
{
	static const struct {
		const char *payload, *meta, *body;
	} cases[] = {
		{"{}\n[1]", "{}", "[1]"}, {"{}\na\nb", "{}", "a\nb"}, {"\n", "", ""}, {"{}\n", "{}", ""}, {"\nx", "", "x"}};
	const char *meta, *body;
	size_t meta_len, body_len;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct frame frame = {FRAME_RESULT, cases[i].payload, strlen(cases[i].payload)};
		assert_ok(frame_split(&frame, &meta, &meta_len, &body, &body_len, &err));
		assert_int_equal(meta_len, strlen(cases[i].meta));
		assert_memory_equal(meta, cases[i].meta, meta_len);
		assert_int_equal(body_len, strlen(cases[i].body));
		assert_memory_equal(body, cases[i].body, body_len);
	}
}

static void a_payload_without_a_newline_is_refused(void **state)
{
	const char *meta, *body;
	size_t meta_len, body_len;
	struct err err;

	(void)state;
	/* The newline right behind the payload belongs to somebody else. */
	struct frame frame = {FRAME_RESULT, "{}\n", 2}, empty = {FRAME_RESULT, NULL, 0};
	assert_fails(frame_split(&frame, &meta, &meta_len, &body, &body_len, &err), "RESULT frame without its line");
	assert_fails(frame_split(&empty, &meta, &meta_len, &body, &body_len, &err), "RESULT frame without its line");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_agent_may_send_comes_back),
		cmocka_unit_test(types_have_names),
		cmocka_unit_test(a_frame_asks_for_more_at_every_shorter_length),
		cmocka_unit_test(the_next_frame_is_left_alone),
		cmocka_unit_test(a_length_over_the_limit_is_refused_before_the_payload_is_there),
		cmocka_unit_test(a_type_that_does_not_exist_is_refused),
		cmocka_unit_test(a_payload_is_split_at_its_first_newline),
		cmocka_unit_test(a_payload_without_a_newline_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
