#include "collector/offsets.h"

#include <errno.h>

#include "base/mem.h"
#include "collector/batch.h"
#include "tests/unit/collector/storing_rig.h"

static void a_file_is_stored_once_however_often_it_is_replayed(void **state)
{
	struct storing_rig *f = *state;

	for (int i = 1; i <= 3; i++) {
		writer_records(&f->writer, 10);
		assert_int_equal(storing_load_and_store(f), 0);
		assert_int_equal(storing_load_and_store(f), 0);
		assert_int_equal(storing_count(), 10 * i);
	}
	writer_close(&f->writer);
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 30);
}

static void a_batch_with_old_offsets_is_not_stored(void **state)
{
	struct storing_rig *f = *state;

	writer_records(&f->writer, 10);
	storing_load(f);
	storing_read_all(f);
	assert_int_equal(batch_store(f->db, f->spool, &f->batch, &f->err), 0);
	assert_int_equal(batch_store(f->db, f->spool, &f->batch, &f->err), -1);
	assert_int_equal(f->err.code, ESTALE);
	assert_int_equal(storing_count(), 10);
}

static void rows_of_files_that_are_gone_are_deleted_but_not_those_of_other_spools(void **state)
{
	struct storing_rig *f = *state;

	pg_scratch_exec(pg,
			"insert into spool_offsets (file_name, spool_id, byte_offset) values "
			"('gone.spool', '%s', 5), ('elsewhere.spool', gen_random_uuid(), 6)",
			f->spool->id);
	storing_load(f);
	AUTO(mem_free) char *left = pg_scratch_value(pg, "select string_agg(file_name, ' ') from spool_offsets");
	assert_string_equal(left, "elsewhere.spool");
}

static void a_finished_file_leaves_neither_file_nor_row(void **state)
{
	struct storing_rig *f = *state;
	size_t count = 0;

	writer_records(&f->writer, 2);
	writer_close(&f->writer);
	assert_int_equal(storing_load_and_store(f), 0);
	assert_true(f->batch.reads[0].finished);
	spool_find(f->spool, f->writer.name)->finished = true;
	assert_int_equal(spool_unlink_finished(f->spool, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(offsets_forget_finished(f->db, f->spool, &f->err), 0);
	spool_forget_finished(f->spool);
	assert_null(spool_find(f->spool, f->writer.name));
	assert_int_equal(file_size(&f->dir, f->writer.name), -1);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from spool_offsets"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORING_TEST(a_file_is_stored_once_however_often_it_is_replayed),
		STORING_TEST(a_batch_with_old_offsets_is_not_stored),
		STORING_TEST(rows_of_files_that_are_gone_are_deleted_but_not_those_of_other_spools),
		STORING_TEST(a_finished_file_leaves_neither_file_nor_row),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
