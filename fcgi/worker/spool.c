#include "worker/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/trim.h"

#define COMPLAIN_EVERY_US 60000000

struct spool {
	const struct conf *conf;
	struct slot *slot;
	const _Atomic uint64_t *spooled_bytes;
	int fd;          /* -1: the next record begins a new file */
	struct uuid key; /* of the file's records: in its name */
	off_t size;      /* of the file: all whole records */
	struct buf record;
	int64_t complained_us; /* when drops were last logged; 0: never */
};

struct spool *spool_new(const struct conf *conf, struct slot *slot, const _Atomic uint64_t *spooled_bytes)
{
	struct spool *s = mem_alloc(sizeof(*s));

	s->conf = conf;
	s->slot = slot;
	s->spooled_bytes = spooled_bytes;
	s->fd = -1;
	return s;
}

void spool_free(struct spool **spool)
{
	if (*spool == NULL)
		return;
	fd_close(&(*spool)->fd);
	buf_free(&(*spool)->record);
	mem_free(spool);
}

/*
 * The collector takes a file that nobody has locked for finished. So it gets its name only once it is locked; without the
 * suffix nobody looks at it.
 */
static int open_file(struct spool *s, struct err *err)
{
	struct uuid id = uuid_new();
	char name[UUID_TEXT_SIZE];

	uuid_format(&id, name);
	AUTO(mem_free) char *dir = mem_printf("%s/" RECORD_SPOOL_DIR, s->conf->master_state_dir);
	AUTO(mem_free) char *path = mem_printf("%s/%s" RECORD_FILE_SUFFIX, dir, name);
	AUTO(mem_free) char *unlocked = mem_printf("%s/%s" RECORD_NEW_SUFFIX, dir, name);

	if (mkdir(dir, 0750) < 0 && errno != EEXIST)
		return err_set(err, errno, "make '%s'", dir);
	AUTO(fd_close) int fd = open(unlocked, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno, "create '%s'", unlocked);
	if (fchmod(fd, RECORD_FILE_MODE) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || rename(unlocked, path) < 0) {
		err_set(err, errno, "begin '%s'", path);
		unlink(unlocked);
		return -1;
	}
	s->fd = TAKE_FD(fd);
	s->key = id;
	s->size = 0;
	return 0;
}

static int write_record(struct spool *s, const struct record *record, struct err *err)
{
	if (atomic_load_explicit(s->spooled_bytes, memory_order_relaxed) >= (uint64_t)s->conf->spool_quota_mb << 20)
		return err_set(err, 0, "the spool has reached its quota of %" PRId64 " MB (spool.quota_mb)",
			       s->conf->spool_quota_mb);
	if (s->fd < 0 && open_file(s, err) < 0)
		return -1;
	record_encode(record, &s->key, &s->record);
	if (s->record.len > RECORD_HEADER_SIZE + RECORD_MAX_SIZE)
		return err_set(err, EMSGSIZE, "a record of %zu bytes", s->record.len);

	ssize_t n = write(s->fd, s->record.data, s->record.len);
	if (n >= 0 && (size_t)n == s->record.len) {
		s->size += n;
		if (s->size >= s->conf->spool_file_bytes)
			fd_close(&s->fd);
		return 0;
	}
	int why = n < 0 ? errno : ENOSPC;
	/* Half a record must not be followed by a whole one. When it cannot be removed, it stays the end of this file. */
	if (n > 0 && ftruncate(s->fd, s->size) < 0)
		fd_close(&s->fd);
	return err_set(err, why, "append %zu bytes to the spool", s->record.len);
}

static void count_drop(struct spool *s, const struct err *err)
{
	uint64_t drops = atomic_fetch_add(&s->slot->dropped_records, 1) + 1;
	int64_t now_us = clock_mono_us();

	if (s->complained_us != 0 && now_us - s->complained_us < COMPLAIN_EVERY_US)
		return;
	s->complained_us = now_us;
	log_error("record of an invocation dropped, %" PRIu64 " so far: %s", drops, err->msg);
}

void spool_append(struct spool *s, const struct record *record)
{
	struct err err = {0};

	if (!s->conf->spool_enabled)
		return;
	if (write_record(s, record, &err) < 0)
		count_drop(s, &err);
	trim_buf(&s->record);
}
