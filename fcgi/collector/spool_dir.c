#include "collector/spool_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#define ABANDONED_S  60      /* a file gets its final name a moment after its creation */
#define END_CHECK_US 1000000 /* how often to check whether a file that does not grow still has a writer */

/* Replaces the content of dir_fd/name by data, completely or not at all, even if the power fails. */
static int write_durably(int dir_fd, const char *name, const void *data, size_t len, struct err *err)
{
	char temporary[256];

	/* Always a new file, because workers can create files and links in the spool. */
	snprintf(temporary, sizeof(temporary), "%s.new", name);
	unlinkat(dir_fd, temporary, 0);
	AUTO(fd_close) int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno, "create '%s'", temporary);
	if (fd_write_all(fd, data, len, err) < 0)
		return err_prefix(err, "'%s'", temporary);
	if (fsync(fd) < 0 || renameat(dir_fd, temporary, dir_fd, name) < 0 || fsync(dir_fd) < 0)
		return err_set(err, errno, "write '%s'", name);
	return 0;
}

/* Reads the directory's id; creates one when it has none yet. */
static int read_id(struct spool *spool, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", spool->path, RECORD_ID_FILE);
	AUTO(mem_free) char *text = NULL;
	struct uuid id;
	struct err why;

	if (fd_read_file(path, UUID_TEXT_SIZE, &text, NULL, &why) == 0) {
		if (!uuid_parse(text, &id))
			return err_set(err, 0, "'%s' holds no uuid", path);
		uuid_format(&id, spool->id);
		return 0;
	}
	if (why.code != ENOENT)
		return err_set(err, 0, "%s", why.msg);
	id = uuid_new();
	uuid_format(&id, spool->id);
	return write_durably(spool->dir_fd, RECORD_ID_FILE, spool->id, strlen(spool->id), err);
}

int spool_open(const char *path, const char *node, struct spool **spool, struct err *err)
{
	AUTO(spool_close) struct spool *s = mem_alloc(sizeof(*s));

	s->path = mem_strdup(path);
	s->node = mem_strdup(node);
	s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return err_set(err, errno, "open the spool directory '%s'", path);
	if (read_id(s, err) < 0)
		return -1;
	*spool = TAKE_PTR(s);
	return 0;
}

bool spool_claim(const struct spool *spool)
{
	return flock(spool->dir_fd, LOCK_EX | LOCK_NB) == 0;
}

static void forget(struct spool *spool, struct spool_file *file)
{
	HASH_DEL(spool->files, file);
	mem_free(&file);
}

void spool_close(struct spool **spool)
{
	struct spool_file *file, *next;

	if (*spool == NULL)
		return;
	HASH_ITER (hh, (*spool)->files, file, next)
		forget(*spool, file);
	fd_close(&(*spool)->dir_fd);
	mem_free(&(*spool)->path);
	mem_free(&(*spool)->node);
	mem_free(spool);
}

struct spool_file *spool_find(const struct spool *spool, const char *name)
{
	struct spool_file *file;

	HASH_FIND_STR(spool->files, name, file);
	return file;
}

/* name is that of a spool file. */
static void note_file(struct spool *spool, const char *name)
{
	struct stat st;

	if (fstatat(spool->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return; /* it was removed meanwhile */
	struct spool_file *file = spool_find(spool, name);
	if (file == NULL) {
		file = mem_alloc(sizeof(*file));
		snprintf(file->name, sizeof(file->name), "%.*s", (int)sizeof(file->name) - 1, name);
		HASH_ADD_STR(spool->files, name, file);
	}
	file->size = (uint64_t)st.st_size;
	file->scan = spool->scans;
}

/* Locked while it is removed, so that no writer can begin to use it meanwhile. If that fails, the next scan tries again. */
static void remove_abandoned(const struct spool *spool, const char *name)
{
	AUTO(fd_close) int fd = openat(spool->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || clock_wall_us() / 1000000 - st.st_mtim.tv_sec < ABANDONED_S)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(spool->dir_fd, name, 0);
}

static void close_dir(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

int spool_scan(struct spool *spool, struct err *err)
{
	AUTO(fd_close) int fd = openat(spool->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct spool_file *file, *next;
	const struct dirent *entry;
	struct uuid id;

	if (dir == NULL)
		return err_set(err, errno, "open the spool directory '%s'", spool->path);
	fd = -1; /* belongs to dir */
	spool->scans++;
	for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
		if (record_spool_key(entry->d_name, &id))
			note_file(spool, entry->d_name);
		else if (record_file_key(entry->d_name, RECORD_NEW_SUFFIX, &id))
			remove_abandoned(spool, entry->d_name);
	}
	if (errno != 0)
		return err_set(err, errno, "read the spool directory '%s'", spool->path);
	HASH_ITER (hh, spool->files, file, next)
		if (file->scan != spool->scans)
			forget(spool, file);
	return 0;
}

bool spool_file_is_due(const struct spool_file *file, int64_t now_us)
{
	return !file->finished &&
	       (file->looked_at_us == 0 || file->size != file->looked_at_size || now_us - file->looked_at_us >= END_CHECK_US);
}

uint64_t spool_pending_bytes(const struct spool *spool)
{
	struct spool_file *file, *next;
	uint64_t bytes = 0;

	HASH_ITER (hh, spool->files, file, next)
		bytes += file->size > file->offset ? file->size - file->offset : 0;
	return bytes;
}

int spool_unlink_finished(struct spool *spool, size_t *count, struct err *err)
{
	struct spool_file *file, *next;
	size_t unlinked = 0;

	HASH_ITER (hh, spool->files, file, next) {
		if (!file->finished)
			continue;
		if (unlinkat(spool->dir_fd, file->name, 0) < 0 && errno != ENOENT)
			return err_set(err, errno, "remove '%s/%s'", spool->path, file->name);
		unlinked++;
	}
	if (unlinked > 0 && fsync(spool->dir_fd) < 0)
		return err_set(err, errno, "sync '%s'", spool->path);
	*count = unlinked;
	return 0;
}

void spool_forget_finished(struct spool *spool)
{
	struct spool_file *file, *next;

	HASH_ITER (hh, spool->files, file, next)
		if (file->finished)
			forget(spool, file);
}

int spool_set_aside(const struct spool *spool, const char *name, uint64_t offset, const void *raw, size_t len, struct err *err)
{
	char aside[SPOOL_NAME_SIZE + 24]; /* together with the offset */

	if (mkdirat(spool->dir_fd, SPOOL_REJECTED_DIR, 0700) < 0 && errno != EEXIST)
		return err_set(err, errno, "create '%s/%s'", spool->path, SPOOL_REJECTED_DIR);
	AUTO(fd_close) int dir_fd = openat(spool->dir_fd, SPOOL_REJECTED_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		return err_set(err, errno, "open '%s/%s'", spool->path, SPOOL_REJECTED_DIR);
	snprintf(aside, sizeof(aside), "%.*s-%" PRIu64 ".spool", UUID_TEXT_SIZE - 1, name, offset);
	return write_durably(dir_fd, aside, raw, len, err);
}
