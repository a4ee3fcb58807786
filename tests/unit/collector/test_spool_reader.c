#include "collector/spool_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/collector/spool_fixture.h"

#define LIMIT 65536

struct fixture {
	struct spool_fixture spool;
	struct writer writer;
	struct spool_batch batch;
	struct err err;
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	spool_fixture_make(&f->spool);
	writer_open(&f->spool, &f->writer);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	writer_close(&f->writer);
	spool_batch_free(&f->batch);
	spool_fixture_remove(&f->spool);
	mem_free(&f);
	return 0;
}

/* Reads into an empty batch. */
static const struct spool_read *read_from(struct fixture *f, uint64_t offset, size_t limit)
{
	spool_batch_reset(&f->batch, limit);
	assert_int_equal(spool_read(f->spool.dir_fd, f->writer.name, offset, &f->batch, &f->err), 0);
	assert_int_equal(f->batch.read_count, 1);
	assert_int_equal(f->batch.reads[0].from, offset);
	return &f->batch.reads[0];
}

static uint64_t size_now(struct fixture *f)
{
	return (uint64_t)file_size(&f->spool, f->writer.name);
}

/* Overwrites a part of the file. */
static void damage(struct fixture *f, off_t at, const void *data, size_t len)
{
	int fd = openat(f->spool.dir_fd, f->writer.name, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, data, len, at), len);
	close(fd);
}

static void two_records_come_in_order(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 2);
	const struct spool_read *read = read_from(f, 0, LIMIT);
	assert_int_equal(f->batch.record_count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct spool_record *r = &f->batch.records[i];
		assert_int_equal(r->record.version, i + 1);
		assert_int_equal(r->record.start_kind, IPC_START_WARM);
		assert_int_equal(r->raw_len, size_now(f) / 2);
		assert_int_equal(r->offset, i * size_now(f) / 2);
	}
	assert_int_equal(read->to, size_now(f));
	assert_false(read->more);
}

/* At an upgrade the old workers write on: in files and records as they know them. */
static void records_of_the_version_before_are_read_from_its_files(void **state)
{
	static const char name[] = "62657274-6820-7370-6f6f-6c2072656300.7.spool"; /* with the key of the corpus */
	const char *srcdir = getenv("srcdir");                                     /* set by automake */
	AUTO(mem_free)
	char *path = mem_printf("%s/tests/fuzz/corpus/record/of-the-version-before", srcdir ?: "."), *data = NULL;
	struct fixture *f = *state;
	size_t len;

	assert_int_equal(fd_read_file(path, 1 << 20, &data, &len, &f->err), 0);
	AUTO(fd_close) int fd = openat(f->spool.dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(fd, data, len, &f->err), 0);
	spool_batch_reset(&f->batch, LIMIT);
	assert_int_equal(spool_read(f->spool.dir_fd, name, 0, &f->batch, &f->err), 0);
	assert_int_equal(f->batch.record_count, 2);
	assert_int_equal(f->batch.damage_count, 0);
	assert_memory_equal(f->batch.records[0].record.log.data, "first", 5);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(f->batch.records[i].record.start_kind, IPC_START_WARM);
}

static void a_growing_file_is_read_on_from_where_it_was(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 3);
	uint64_t to = read_from(f, 0, LIMIT)->to;
	assert_int_equal(read_from(f, to, LIMIT)->to, to);
	assert_int_equal(f->batch.record_count, 0);
	writer_records(&f->writer, 1);
	read_from(f, to, LIMIT);
	assert_int_equal(f->batch.record_count, 1);
	assert_int_equal(f->batch.records[0].offset, to);
}

static void a_locked_file_is_never_finished(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 1);
	assert_false(read_from(f, 0, LIMIT)->finished);
	assert_false(read_from(f, size_now(f), LIMIT)->finished);
	writer_close(&f->writer);
	assert_true(read_from(f, size_now(f), LIMIT)->finished);
	assert_true(read_from(f, 0, LIMIT)->finished);
	assert_int_equal(f->batch.record_count, 1);
}

static void half_a_record_is_left_alone_while_its_writer_lives(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf b = {0};
	struct record r = sample_record();

	writer_records(&f->writer, 1);
	uint64_t whole = size_now(f);
	writer_encode(&f->writer, &r, &b);
	writer_append(&f->writer, b.data, b.len / 2);
	assert_int_equal(read_from(f, 0, LIMIT)->to, whole);
	writer_append(&f->writer, b.data + b.len / 2, b.len - b.len / 2);
	const struct spool_read *read = read_from(f, whole, LIMIT);
	assert_int_equal(f->batch.record_count, 1);
	assert_int_equal(read->damaged_bytes + read->torn_bytes, 0);
}

static void half_a_record_is_dropped_when_its_writer_is_gone(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf b = {0};
	struct record r = sample_record();

	for (size_t part = 1; part < encoded_size(&r); part += 7) {
		writer_close(&f->writer);
		writer_open(&f->spool, &f->writer);
		writer_records(&f->writer, 1);
		buf_reset(&b);
		writer_encode(&f->writer, &r, &b);
		writer_append(&f->writer, b.data, part);
		writer_close(&f->writer);
		const struct spool_read *read = read_from(f, 0, LIMIT);
		assert_int_equal(f->batch.record_count, 1);
		assert_int_equal(read->torn_bytes, part);
		assert_int_equal(read->damaged_bytes, 0);
		assert_int_equal(read->to, size_now(f));
		assert_true(read->finished);
	}
}

static void a_damaged_record_costs_no_other(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 3);
	off_t size = (off_t)size_now(f) / 3;
	damage(f, size + RECORD_HEADER_SIZE + 5, "!!!!", 4);
	const struct spool_read *read = read_from(f, 0, LIMIT);
	assert_int_equal(f->batch.record_count, 2);
	assert_int_equal(f->batch.records[0].record.version, 1);
	assert_int_equal(f->batch.records[1].record.version, 3);
	assert_int_equal(read->damaged_bytes, size);
	assert_int_equal(f->batch.damage_count, 1);
	assert_int_equal(f->batch.damages[0].offset, size);
	assert_int_equal(f->batch.damages[0].len, size);
	assert_memory_equal(f->batch.damages[0].raw + RECORD_HEADER_SIZE + 5, "!!!!", 4);
	assert_int_equal(read->to, size_now(f));
}

/* What a function prints is in the middle of a record. It does not know the key; another file's is as good a guess as any. */
static void a_record_in_the_text_of_a_damaged_one_is_not_believed(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf b = {0}, planted = {0};
	struct record honest = sample_record(), forged = sample_record();
	struct uuid guess = uuid_new();

	forged.version = 666;
	record_encode(&forged, &guess, &planted);
	honest.log = (struct str){planted.data, (uint32_t)planted.len};
	writer_encode(&f->writer, &honest, &b);
	writer_append(&f->writer, b.data, b.len);
	writer_records(&f->writer, 1);
	damage(f, RECORD_HEADER_SIZE + 5, "!!!!", 4);
	const struct spool_read *read = read_from(f, 0, LIMIT);
	assert_int_equal(f->batch.record_count, 1);
	assert_int_equal(f->batch.records[0].record.version, 1);
	assert_int_equal(read->damaged_bytes, b.len);
}

static void a_damaged_length_costs_no_other_once_the_writer_is_gone(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 3);
	damage(f, (off_t)size_now(f) / 3 + 4, "\x00\x10\x00\x00", 4);
	assert_int_equal(read_from(f, 0, LIMIT)->to, size_now(f) / 3);
	writer_close(&f->writer);
	assert_true(read_from(f, 0, LIMIT)->finished);
	assert_int_equal(f->batch.record_count, 2);
	assert_int_equal(f->batch.reads[0].damaged_bytes, size_now(f) / 3);
}

/* Reads the whole file with a small batch; the number of records found. */
static size_t read_in_pieces(struct fixture *f, size_t limit)
{
	size_t records = 0;
	uint64_t offset = 0;
	bool more = true;

	while (more) {
		const struct spool_read *read = read_from(f, offset, limit);
		records += f->batch.record_count;
		assert_true(read->to > offset || !read->more);
		offset = read->to;
		more = read->more;
	}
	assert_int_equal(offset, size_now(f));
	return records;
}

static void a_batch_takes_no_more_than_its_limit(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 100);
	assert_true(read_from(f, 0, 2000)->more);
	assert_true(f->batch.reads[0].to <= 2000);
	assert_int_equal(read_in_pieces(f, 2000), 100);
	/* What is left of a batch by another file may be too small for even one record. */
	spool_batch_reset(&f->batch, 2000);
	f->batch.raw.len = 1990;
	assert_int_equal(spool_read(f->spool.dir_fd, f->writer.name, 0, &f->batch, &f->err), 0);
	assert_true(f->batch.reads[0].more);
	assert_int_equal(f->batch.reads[0].to, 0);
}

static void a_record_larger_than_the_limit_is_taken_alone(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf b = {0};
	AUTO(mem_free) char *log = mem_alloc(300001);
	struct record r = sample_record();

	memset(log, 'l', 300000);
	r.log = STR(log);
	writer_encode(&f->writer, &r, &b);
	writer_records(&f->writer, 2);
	writer_append(&f->writer, b.data, b.len);
	writer_records(&f->writer, 2);
	assert_int_equal(read_in_pieces(f, 1000), 5);
	assert_int_equal(read_in_pieces(f, LIMIT), 5);
}

static void a_record_behind_garbage_is_found_wherever_a_batch_ends(void **state)
{
	struct fixture *f = *state;
	char garbage[200];
	struct record r = sample_record();

	memset(garbage, 'B', sizeof(garbage));
	for (size_t n = 1; n < sizeof(garbage); n++) {
		writer_close(&f->writer);
		writer_open(&f->spool, &f->writer);
		writer_append(&f->writer, garbage, n);
		writer_records(&f->writer, 1);
		writer_close(&f->writer);
		assert_int_equal(read_in_pieces(f, 100), 1);
		assert_int_equal(read_in_pieces(f, encoded_size(&r)), 1);
	}
}

static void any_damage_is_survived_and_costs_only_what_it_hits(void **state)
{
	struct fixture *f = *state;

	srandom(42);
	for (int round = 0; round < 300; round++) {
		writer_close(&f->writer);
		unlinkat(f->spool.dir_fd, f->writer.name, 0);
		writer_open(&f->spool, &f->writer);
		writer_records(&f->writer, 20);
		off_t size = (off_t)size_now(f) / 20, hit = random() % 20;
		char byte = (char)random();
		damage(f, hit * size + random() % size, &byte, 1);
		writer_close(&f->writer);
		size_t limit = (size_t)size + (size_t)(random() % 3000);
		assert_in_range(read_in_pieces(f, limit), 19, 20);
	}
}

static void an_empty_file_is_finished_when_it_is_old(void **state)
{
	struct fixture *f = *state;
	const struct timespec long_ago[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};

	writer_close(&f->writer);
	assert_false(read_from(f, 0, LIMIT)->finished);
	assert_int_equal(utimensat(f->spool.dir_fd, f->writer.name, long_ago, 0), 0);
	assert_true(read_from(f, 0, LIMIT)->finished);
}

static void a_file_shorter_than_what_was_stored_is_finished(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 1);
	writer_close(&f->writer);
	const struct spool_read *read = read_from(f, size_now(f) + 1000, LIMIT);
	assert_true(read->finished);
	assert_int_equal(read->to, read->from);
}

static void a_missing_file_leaves_the_batch_as_it_was(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 2);
	read_from(f, 0, LIMIT);
	assert_int_equal(spool_read(f->spool.dir_fd, "0192d3a0-0000-7000-8000-000000000000.spool", 0, &f->batch, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(f->batch.read_count, 1);
	assert_int_equal(f->batch.record_count, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_records_come_in_order),
		TEST(records_of_the_version_before_are_read_from_its_files),
		TEST(a_growing_file_is_read_on_from_where_it_was),
		TEST(a_locked_file_is_never_finished),
		TEST(half_a_record_is_left_alone_while_its_writer_lives),
		TEST(half_a_record_is_dropped_when_its_writer_is_gone),
		TEST(a_damaged_record_costs_no_other),
		TEST(a_record_in_the_text_of_a_damaged_one_is_not_believed),
		TEST(a_damaged_length_costs_no_other_once_the_writer_is_gone),
		TEST(a_batch_takes_no_more_than_its_limit),
		TEST(a_record_larger_than_the_limit_is_taken_alone),
		TEST(a_record_behind_garbage_is_found_wherever_a_batch_ends),
		TEST(any_damage_is_survived_and_costs_only_what_it_hits),
		TEST(an_empty_file_is_finished_when_it_is_old),
		TEST(a_file_shorter_than_what_was_stored_is_finished),
		TEST(a_missing_file_leaves_the_batch_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
