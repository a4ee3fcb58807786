#include "ipc/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

void spool_file_close(struct spool_file_writer *w)
{
	fd_close(&w->fd);
	buf_free(&w->record);
}

/*
 * Gives the file the group of the directory, which its readers and writers are in. When all processes run as one user this may
 * fail and is not needed.
 */
static void give_to_readers(int fd, const char *dir)
{
	struct stat st;

	if (stat(dir, &st) < 0 || fchown(fd, (uid_t)-1, st.st_gid) < 0)
		log_debug("group of a spool file: %s", strerror(errno));
}

/*
 * The collector considers a file without a lock finished. So a new file gets its final suffix only after it is locked; until
 * then no process reads it.
 */
static int open_file(struct spool_file_writer *w, const char *state_dir, struct err *err)
{
	struct uuid id = uuid_new();
	char name[UUID_TEXT_SIZE];

	uuid_format(&id, name);
	AUTO(mem_free) char *dir = mem_printf("%s/" RECORD_SPOOL_DIR, state_dir);
	AUTO(mem_free) char *path = mem_printf("%s/%s" RECORD_FILE_SUFFIX, dir, name);
	AUTO(mem_free) char *unlocked = mem_printf("%s/%s" RECORD_NEW_SUFFIX, dir, name);

	if (mkdir(dir, 0750) < 0 && errno != EEXIST)
		return err_set(err, errno, "make '%s'", dir);
	AUTO(fd_close) int fd = open(unlocked, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno, "create '%s'", unlocked);
	give_to_readers(fd, dir);
	if (fchmod(fd, RECORD_FILE_MODE) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || rename(unlocked, path) < 0) {
		err_set(err, errno, "begin '%s'", path);
		unlink(unlocked);
		return -1;
	}
	w->fd = TAKE_FD(fd);
	w->key = id;
	w->size = 0;
	return 0;
}

int spool_file_append(struct spool_file_writer *w, const char *state_dir, int64_t file_bytes, const struct record *record,
		      struct err *err)
{
	if (w->fd < 0 && open_file(w, state_dir, err) < 0)
		return -1;
	buf_reset(&w->record);
	record_encode(record, &w->key, &w->record);
	if (w->record.len > RECORD_HEADER_SIZE + RECORD_MAX_SIZE)
		return err_set(err, EMSGSIZE, "a record of %zu bytes", w->record.len);

	ssize_t n = write(w->fd, w->record.data, w->record.len);
	if (n >= 0 && (size_t)n == w->record.len) {
		w->size += n;
		if (w->size >= file_bytes)
			fd_close(&w->fd);
		return 0;
	}
	int why = n < 0 ? errno : ENOSPC;
	/*
	 * No record may follow an incomplete one. If the incomplete record cannot be removed, this file ends with it and the
	 * next record begins a new file.
	 */
	if (n > 0 && ftruncate(w->fd, w->size) < 0)
		fd_close(&w->fd);
	return err_set(err, why, "append %zu bytes to the spool", w->record.len);
}
