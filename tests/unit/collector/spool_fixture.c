#include "tests/unit/collector/spool_fixture.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/uuid.h"

void spool_fixture_make(struct spool_fixture *f)
{
	snprintf(f->state_dir, sizeof(f->state_dir), "/tmp/berth-spool-XXXXXX");
	char *made = mkdtemp(f->state_dir);
	assert(made != NULL);
	snprintf(f->spool_dir, sizeof(f->spool_dir), "%s/%s", f->state_dir, RECORD_SPOOL_DIR);
	int rc = mkdir(f->spool_dir, 0700);
	assert(rc == 0);
	f->dir_fd = open(f->spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(f->dir_fd >= 0);
}

void spool_fixture_remove(struct spool_fixture *f)
{
	AUTO(mem_free) char *command = mem_printf("rm -rf '%s'", f->state_dir);
	int rc = system(command);

	assert(rc == 0);
	fd_close(&f->dir_fd);
}

void writer_open(struct spool_fixture *f, struct writer *w)
{
	char text[UUID_TEXT_SIZE], temporary[SPOOL_NAME_SIZE + 8];

	w->key = uuid_new();
	uuid_format(&w->key, text);
	snprintf(w->name, sizeof(w->name), "%s%s", text, RECORD_FILE_SUFFIX);
	snprintf(temporary, sizeof(temporary), "%s" RECORD_NEW_SUFFIX, text);
	w->fd = openat(f->dir_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	assert(w->fd >= 0);
	int rc = flock(w->fd, LOCK_EX | LOCK_NB);
	assert(rc == 0);
	rc = renameat(f->dir_fd, temporary, f->dir_fd, w->name);
	assert(rc == 0);
}

void writer_append(struct writer *w, const void *data, size_t len)
{
	int rc = fd_write_all(w->fd, data, len, NULL);
	assert(rc == 0);
}

void writer_close(struct writer *w)
{
	fd_close(&w->fd);
}

struct record sample_record(void)
{
	static struct uuid function;

	if (function.bytes[0] == 0)
		function = uuid_new();
	return (struct record){
		.invocation_id = uuid_new(),
		.function_id = function,
		.version = 1,
		.request_id = STR("5f0c7a9e-req"),
		.requested_at_us = (uint64_t)clock_wall_us(),
		.response_us = 1500,
		.queue_us = 10,
		.init_us = 0,
		.exec_us = 1250,
		.start_kind = IPC_START_WARM,
		.runtime = STR("docker"),
		.status = 200,
		.error_code = STR(""),
		.error_message = STR(""),
		.request_bytes = 20,
		.response_bytes = 30,
		.log = STR(""),
	};
}

void writer_records(struct writer *w, int count)
{
	AUTO(buf_free) struct buf b = {0};

	for (int i = 1; i <= count; i++) {
		struct record r = sample_record();
		r.version = (uint32_t)i;
		buf_reset(&b);
		writer_encode(w, &r, &b);
		writer_append(w, b.data, b.len);
	}
}

void writer_encode(const struct writer *w, const struct record *record, struct buf *out)
{
	record_encode(record, &w->key, out);
}

size_t encoded_size(const struct record *record)
{
	AUTO(buf_free) struct buf b = {0};

	record_encode(record, &(struct uuid){0}, &b);
	return b.len;
}

off_t file_size(const struct spool_fixture *f, const char *name)
{
	struct stat st;

	return fstatat(f->dir_fd, name, &st, 0) < 0 ? -1 : st.st_size;
}

int rejected_count(const struct spool_fixture *f)
{
	AUTO(mem_free) char *path = mem_printf("%s/rejected", f->spool_dir);
	DIR *dir = opendir(path);
	int count = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 2;
}
