#include "tests/unit/collector/storing_rig.h"

#include "base/mem.h"
#include "collector/batch.h"
#include "collector/offsets.h"

#define LIMIT 1048576

int storing_set_up(void **state)
{
	struct storing_rig *f = mem_alloc(sizeof(*f));

	pg_scratch_reset(pg);
	f->conf = pg_scratch_conf(pg);
	f->db = db_new(f->conf, "test");
	spool_fixture_make(&f->dir);
	writer_open(&f->dir, &f->writer);
	assert_int_equal(spool_open(f->dir.spool_dir, "node-1", &f->spool, &f->err), 0);
	*state = f;
	return 0;
}

int storing_tear_down(void **state)
{
	struct storing_rig *f = *state;

	writer_close(&f->writer);
	spool_batch_free(&f->batch);
	spool_close(&f->spool);
	spool_fixture_remove(&f->dir);
	db_free(&f->db);
	conf_free(&f->conf);
	mem_free(&f);
	return 0;
}

void storing_append(struct storing_rig *f, const struct record *record)
{
	AUTO(buf_free) struct buf b = {0};

	writer_encode(&f->writer, record, &b);
	writer_append(&f->writer, b.data, b.len);
}

void storing_load(struct storing_rig *f)
{
	assert_int_equal(spool_scan(f->spool, &f->err), 0);
	assert_int_equal(offsets_load(f->db, f->spool, &f->err), 0);
}

void storing_read_all(struct storing_rig *f)
{
	struct spool_file *file, *next;

	spool_batch_reset(&f->batch, LIMIT);
	HASH_ITER (hh, f->spool->files, file, next)
		assert_int_equal(spool_read(f->spool->dir_fd, file->name, file->offset, &f->batch, &f->err), 0);
}

int storing_load_and_store(struct storing_rig *f)
{
	storing_load(f);
	storing_read_all(f);
	return batch_store(f->db, f->spool, &f->batch, &f->err);
}

long storing_count(void)
{
	return pg_scratch_number(pg, "select count(*) from metrics");
}

pid_t storing_start_client(struct storing_rig *f, int (*work)(struct storing_rig *f))
{
	pid_t pid = fork();

	if (pid == 0) {
		struct db *inherited = f->db;
		f->db = db_new(f->conf, "client");
		int rc = work(f);
		db_free(&f->db);
		f->db = inherited;
		_exit(rc == 0 ? 0 : 1);
	}
	return pid;
}
