#include "ipc/record.h"

#include <sodium.h>
#include <stdbool.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

#define VALUE_U8   IPC_START_COLD /* it must be an existing kind */
#define VALUE_U32  0x21222324
#define VALUE_U64  0x3132333435363738
#define VALUE_STR  ((struct str){"some text", 9})
#define VALUE_UUID ((struct uuid){{0x41, 0x42, 0x43}})

static const struct record sample = {
#define RECORD_FIELD(field, type, since) .field = VALUE_##type,
#define RECORD_FORMER(field, type, since, last)
#include "ipc/record.def"
#undef RECORD_FIELD
#undef RECORD_FORMER
	.start_name = {"cold", 4},
};

static const struct uuid key = {{1, 2, 3, 4}};

static ptrdiff_t decode(const struct buf *b, struct record *record)
{
	struct err err;

	return record_decode(b->data, b->len, &key, record, &err);
}

static void a_record_comes_back_as_it_was(void **state)
{
	AUTO(buf_free) struct buf b = {0}, again = {0};
	struct record back;

	(void)state;
	record_encode(&sample, &key, &b);
	assert_int_equal(decode(&b, &back), b.len);
	assert_int_equal(back.status, VALUE_U32);
	assert_int_equal(back.log.len, 9);
	record_encode(&back, &key, &again);
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.data, b.data, b.len);
}

static void what_an_invocation_used_is_in_its_record(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct record record = {.cpu_us = 1234567890123, .memory_bytes = 3154116608}, back;

	(void)state;
	record_encode(&record, &key, &b);
	assert_int_equal(decode(&b, &back), b.len);
	assert_true(back.cpu_us == 1234567890123 && back.memory_bytes == 3154116608);
}

/* Encodes the record as a worker of that version did: without later fields, and with removed ones. */
static void encode_as(uint32_t version, struct buf *b)
{
	static const struct field fields[] = {
#define RECORD_FIELD(field, type, since)        {FIELD_##type, offsetof(struct record, field)},
#define RECORD_FORMER(field, type, since, last) RECORD_FIELD(field, type, since)
#include "ipc/record.def"
#undef RECORD_FIELD
#undef RECORD_FORMER
	};
	static const struct {
		uint32_t since, last;
	} spans[] = {
#define RECORD_FIELD(field, type, since)        {since, RECORD_VERSION},
#define RECORD_FORMER(field, type, since, last) {since, last},
#include "ipc/record.def"
#undef RECORD_FIELD
#undef RECORD_FORMER
	};
	unsigned char sum[crypto_shorthash_BYTES];
	size_t start = b->len;

	buf_add_u32(b, RECORD_MAGIC(version));
	buf_add_u32(b, 0);
	buf_add_u64(b, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (spans[i].since <= version && version <= spans[i].last)
			fields_encode(&fields[i], 1, &sample, b);
	size_t payload_len = b->len - start - RECORD_HEADER_SIZE;
	crypto_shorthash(sum, (unsigned char *)b->data + start + RECORD_HEADER_SIZE, payload_len, key.bytes);
	buf_put_u32(b->data + start + 4, (uint32_t)payload_len);
	memcpy(b->data + start + 8, sum, sizeof(sum));
}

static void a_record_of_a_version_before_is_read_without_what_it_has_not(void **state)
{
	(void)state;
	for (uint32_t version = RECORD_OLDEST; version <= RECORD_VERSION; version++) {
		AUTO(buf_free) struct buf b = {0};
		struct record back;
		encode_as(version, &b);
		encode_as(RECORD_VERSION, &b);
		ptrdiff_t n = decode(&b, &back);
		assert_true(n > 0);
#define RECORD_FIELD(field, type, since)                                                                                       \
	{                                                                                                                      \
		static const FIELD_C_##type none;                                                                              \
		const void *expected = (since) <= version || FIELD_##type == FIELD_U8 ? (const void *)&sample.field : &none;   \
		if (FIELD_##type != FIELD_STR)                                                                                 \
			assert_memory_equal(&back.field, expected, sizeof(none));                                              \
	}
#define RECORD_FORMER(field, type, since, last)                                                                                \
	{                                                                                                                      \
		static const FIELD_C_##type none;                                                                              \
		assert_memory_equal(&back.field, &none, sizeof(none));                                                         \
	}
#include "ipc/record.def"
#undef RECORD_FIELD
#undef RECORD_FORMER
		assert_int_equal(back.start_kind, IPC_START_COLD); /* whether it was written as a name or a number */
		assert_int_equal(back.log.len, 9);
		buf_consume(&b, (size_t)n);
		assert_int_equal(decode(&b, &back), b.len);
	}
}

/* What a worker of any other version wrote is skipped like damage: its fields may be others. */
static void a_record_of_another_version_is_none(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct record record;

	(void)state;
	for (uint32_t version = 1; version < 256; version++) {
		if (version >= RECORD_OLDEST && version <= RECORD_VERSION)
			continue;
		buf_reset(&b);
		record_encode(&sample, &key, &b);
		size_t old_len = b.len;
		buf_put_u32(b.data, RECORD_MAGIC(version));
		record_encode(&sample, &key, &b);
		assert_int_equal(decode(&b, &record), -1);
		assert_int_equal(record_resync(b.data, b.len), old_len);
	}
}

static void a_start_of_no_kind_is_refused(void **state)
{
	static const struct str names[] = {{"lukewarm", 8}, {"", 0}, {"warm", 4}};
	struct record record = sample, back;
	struct err err;

	(void)state;
	for (unsigned kind = 0; kind < 256; kind++) {
		AUTO(buf_free) struct buf b = {0};
		record.start_kind = (uint8_t)kind;
		record_encode(&record, &key, &b);
		if (kind < IPC_START_COUNT)
			assert_int_equal(decode(&b, &back), b.len);
		else
			assert_fails((int)record_decode(b.data, b.len, &key, &back, &err), "of no kind");
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(start_kind_find(names[i].data, names[i].len),
				 ((enum ipc_start_kind[]){IPC_START_COUNT, IPC_START_NONE, IPC_START_WARM})[i]);
}

static void a_torn_record_is_not_all_there_at_every_length(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct record record;
	struct err err;

	(void)state;
	record_encode(&sample, &key, &b);
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(record_decode(b.data, len, &key, &record, &err), 0);
}

/* A flipped bit in the length makes a longer record that is not all there, or a shorter one with a wrong checksum. */
static void every_flipped_bit_is_noticed(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct record record;

	(void)state;
	record_encode(&sample, &key, &b);
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
		bool in_length = bit / 8 >= 4 && bit / 8 < 8;
		ptrdiff_t n = decode(&b, &record);
		assert_true(n == -1 || (in_length && n == 0));
		b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
	}
}

static void records_are_read_one_after_the_other(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct record record;
	int count = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		record_encode(&sample, &key, &b);
	for (ptrdiff_t n; (n = decode(&b, &record)) > 0; count++)
		buf_consume(&b, (size_t)n);
	assert_int_equal(count, 5);
	assert_int_equal(b.len, 0);
}

static void a_record_of_another_key_is_none(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct record record;
	struct err err;

	(void)state;
	record_encode(&sample, &key, &b);
	for (size_t bit = 0; bit < sizeof(key) * 8; bit++) {
		struct uuid other = key;
		other.bytes[bit / 8] = (unsigned char)(other.bytes[bit / 8] ^ 1 << bit % 8);
		assert_fails((int)record_decode(b.data, b.len, &other, &record, &err), "wrong checksum");
	}
}

static void only_the_name_of_a_spool_file_gives_a_key(void **state)
{
	static const char *const others[] = {"",
					     ".spool",
					     "id",
					     "0192d3a0-0000-7000-8000-000000000000",
					     "0192d3a0-0000-7000-8000-000000000000.new",
					     "0192d3a0-0000-7000-8000-00000000000x.spool",
					     "0192d3a0-0000-7000-8000-000000000000.spool2",
					     "0192d3a0-0000-7000-8000-000000000000-12.spool"};
	struct uuid got = key;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(record_spool_key(others[i], &got));
	assert_memory_equal(&got, &key, sizeof(key));
	assert_true(record_spool_key("01020304-0000-0000-0000-000000000000.spool", &got));
	assert_memory_equal(&got, &key, sizeof(key));
}

static void an_absurd_length_is_refused_at_once(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct record record;
	struct err err;

	(void)state;
	record_encode(&sample, &key, &b);
	buf_put_u32(b.data + 4, RECORD_MAX_SIZE + 1);
	assert_fails((int)record_decode(b.data, RECORD_HEADER_SIZE, &key, &record, &err), "record of");
}

static void after_damage_the_next_record_is_found(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct record record;

	(void)state;
	for (size_t garbage = 1; garbage < 40; garbage++) {
		buf_reset(&b);
		for (size_t i = 0; i < garbage; i++)
			buf_add_u8(&b, 'B'); /* like the first byte of a header */
		record_encode(&sample, &key, &b);
		size_t skip = record_resync(b.data, b.len);
		assert_int_equal(skip, garbage);
		buf_consume(&b, skip);
		assert_int_equal(decode(&b, &record), b.len);
	}
}

static void resync_always_moves_on_and_never_beyond_the_end(void **state)
{
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	record_encode(&sample, &key, &b);
	assert_int_equal(record_resync(b.data, b.len), b.len);
	for (size_t len = 1; len < 8; len++)
		assert_int_equal(record_resync(b.data, len), len);
}

/* make-corpus has the fields and the version once more, in Python. */
static void the_fuzzer_starts_from_a_record_of_this_version(void **state)
{
	static const struct uuid corpus_key = {"berth spool rec"};
	const char *srcdir = getenv("srcdir"); /* automake's */
	AUTO(mem_free) char *path = mem_printf("%s/tests/fuzz/corpus/record/one", srcdir ?: "."), *data = NULL;
	struct record record;
	size_t len = 0;
	struct err err;

	(void)state;
	assert_ok(fd_read_file(path, RECORD_MAX_SIZE, &data, &len, &err));
	assert_int_equal(record_decode(data, len, &corpus_key, &record, &err), len);
	assert_int_equal(record.cpu_us, 650);
	assert_int_equal(record.memory_bytes, 9000000);
	assert_int_equal(record.background_us, 900);
	assert_int_equal(record.start_kind, IPC_START_WARM);
	assert_memory_equal(record.runtime.data, "docker", 6);
}

static void a_spool_file_of_each_version_that_is_read_is_found_by_its_name(void **state)
{
	static const char uuid[] = "01020304-0000-0000-0000-000000000000";
	static const struct {
		const char *suffix;
		bool is_read;
	} cases[] = {{".spool", true},   {RECORD_FILE_SUFFIX, true}, {".4.spool", false},  {".6.spool", true},
		     {".7.spool", true}, {".8.spool", true},         {".10.spool", false}, {".new", false}};
	char name[100];
	struct uuid got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&got, 0, sizeof(got));
		snprintf(name, sizeof(name), "%s%s", uuid, cases[i].suffix);
		assert_int_equal(record_spool_key(name, &got), cases[i].is_read);
		assert_int_equal(got.bytes[0], cases[i].is_read ? 1 : 0);
	}
	snprintf(name, sizeof(name), ".%d.spool", RECORD_VERSION);
	assert_string_equal(name, RECORD_FILE_SUFFIX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(what_an_invocation_used_is_in_its_record),
		cmocka_unit_test(a_record_of_a_version_before_is_read_without_what_it_has_not),
		cmocka_unit_test(a_record_of_another_version_is_none),
		cmocka_unit_test(a_spool_file_of_each_version_that_is_read_is_found_by_its_name),
		cmocka_unit_test(the_fuzzer_starts_from_a_record_of_this_version),
		cmocka_unit_test(a_start_of_no_kind_is_refused),
		cmocka_unit_test(a_torn_record_is_not_all_there_at_every_length),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(records_are_read_one_after_the_other),
		cmocka_unit_test(a_record_of_another_key_is_none),
		cmocka_unit_test(only_the_name_of_a_spool_file_gives_a_key),
		cmocka_unit_test(an_absurd_length_is_refused_at_once),
		cmocka_unit_test(after_damage_the_next_record_is_found),
		cmocka_unit_test(resync_always_moves_on_and_never_beyond_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
