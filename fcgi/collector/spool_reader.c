#include "collector/spool_reader.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

/* An empty file without a lock may have a writer that is about to lock it. */
#define EMPTY_FILE_AGE_S 10

void spool_batch_reset(struct spool_batch *batch, size_t limit)
{
	batch->limit = limit;
	buf_reset(&batch->raw);
	batch->record_count = batch->read_count = batch->damage_count = batch->refused_count = 0;
	/* Frees the memory that a very large record needed. Everything is reserved now, because records point into it. */
	if (batch->raw.cap > 2 * limit + 2)
		buf_free(&batch->raw);
	buf_reserve(&batch->raw, limit);
}

void spool_batch_free(struct spool_batch *batch)
{
	buf_free(&batch->raw);
	mem_free(&batch->records);
	mem_free(&batch->reads);
	mem_free(&batch->damages);
	*batch = (struct spool_batch){0};
}

void spool_batch_refuse(struct spool_batch *batch, struct spool_record *record, const char *why)
{
	if (batch->refused_count++ == 0)
		snprintf(batch->refused_why, sizeof(batch->refused_why), "%s", why);
	record->refused = true;
}

/* Makes room for one more element, by doubling the array. */
static void *grown(void *array, size_t count, size_t *cap, size_t element_size)
{
	if (count < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 64;
	return mem_realloc(array, *cap * element_size);
}

static struct spool_read *add_read(struct spool_batch *batch, const char *name, uint64_t offset)
{
	batch->reads = grown(batch->reads, batch->read_count, &batch->read_cap, sizeof(*batch->reads));
	struct spool_read *r = &batch->reads[batch->read_count++];

	*r = (struct spool_read){.from = offset, .to = offset};
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

static void add_record(struct spool_batch *batch, const struct record *record, const char *raw, size_t raw_len, uint64_t offset)
{
	batch->records = grown(batch->records, batch->record_count, &batch->record_cap, sizeof(*batch->records));
	batch->records[batch->record_count++] = (struct spool_record){
		.record = *record, .raw = raw, .raw_len = raw_len, .read = batch->read_count - 1, .offset = offset};
}

/* A part of a file in memory. */
struct window {
	const char *data;
	size_t len, pos; /* everything before pos is processed */
	bool at_end;     /* it ends at the end of the file */
	bool no_writer;
};

/* Notes damaged bytes, which may be the remains of a record. */
static void step_over_damage(struct window *w, struct spool_batch *batch, size_t len)
{
	struct spool_read *read = &batch->reads[batch->read_count - 1];

	batch->damages = grown(batch->damages, batch->damage_count, &batch->damage_cap, sizeof(*batch->damages));
	batch->damages[batch->damage_count++] =
		(struct spool_damage){w->data + w->pos, len, batch->read_count - 1, read->from + w->pos};
	read->damaged_bytes += len;
	w->pos += len;
}

/* Skips damaged bytes. A header may extend beyond the window, so its possible first bytes are left for the next window. */
static void skip_damage(struct window *w, struct spool_batch *batch)
{
	size_t left = w->len - w->pos;
	size_t skip = record_resync(w->data + w->pos, left);

	if (skip == left && !(w->at_end && w->no_writer))
		skip = left - 3;
	step_over_damage(w, batch, skip);
}

/* A header announces more bytes than the file has, and there is no writer: the record is incomplete or damaged. */
static void skip_unfinished(struct window *w, struct spool_batch *batch)
{
	struct spool_read *read = &batch->reads[batch->read_count - 1];
	size_t left = w->len - w->pos;
	size_t skip = record_resync(w->data + w->pos, left);

	if (skip < left) {
		step_over_damage(w, batch, skip);
		return;
	}
	read->torn_bytes += skip;
	w->pos += skip;
}

static void take_records(struct window *w, const struct uuid *key, struct spool_batch *batch)
{
	struct spool_read *read = &batch->reads[batch->read_count - 1];

	while (w->pos < w->len) {
		struct record record;
		const char *p = w->data + w->pos;
		ptrdiff_t n = record_decode(p, w->len - w->pos, key, &record, NULL);
		if (n > 0) {
			add_record(batch, &record, p, (size_t)n, read->from + w->pos);
			w->pos += (size_t)n;
		} else if (n < 0) {
			skip_damage(w, batch);
		} else if (w->at_end && w->no_writer) {
			skip_unfinished(w, batch);
		} else {
			break;
		}
	}
	read->to = read->from + w->pos;
}

/* Reads up to room bytes; *at_end says whether the file ended before. */
static int fill(int fd, uint64_t offset, char *to, size_t room, size_t *len, bool *at_end, struct err *err)
{
	size_t have = 0;

	while (have < room) {
		ssize_t n = pread(fd, to + have, room - have, (off_t)(offset + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read");
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*len = have;
	*at_end = have < room;
	return 0;
}

/*
 * The number of bytes of the batch that this file may use: the rest, or as many as its first record needs if it would never fit
 * otherwise.
 */
static int room_for(int fd, uint64_t offset, const struct spool_batch *batch, size_t *room, struct err *err)
{
	unsigned char header[RECORD_HEADER_SIZE];
	size_t len;
	bool at_end;

	*room = batch->limit > batch->raw.len ? batch->limit - batch->raw.len : 0;
	if (batch->raw.len > 0)
		return 0;
	if (fill(fd, offset, (char *)header, sizeof(header), &len, &at_end, err) < 0)
		return -1;
	if (len == sizeof(header) && record_version(header) != 0 && buf_get_u32(header + 4) <= RECORD_MAX_SIZE)
		*room = MAX(*room, RECORD_HEADER_SIZE + (size_t)buf_get_u32(header + 4));
	return 0;
}

static bool is_finished(int fd, const struct window *w, const struct spool_read *read)
{
	struct stat st;

	if (!w->no_writer || !w->at_end || w->pos < w->len)
		return false;
	if (read->to > 0)
		return true;
	return fstat(fd, &st) == 0 && clock_wall_us() / 1000000 - st.st_mtim.tv_sec >= EMPTY_FILE_AGE_S;
}

static int read_file(int fd, const char *name, uint64_t offset, struct spool_batch *batch, struct err *err)
{
	/* Checked before reading: if there is no writer now, the following reads see the final content. */
	struct window w = {.no_writer = flock(fd, LOCK_SH | LOCK_NB) == 0};
	struct uuid key;
	size_t room;

	if (!record_spool_key(name, &key))
		return err_set(err, 0, "is not the name of one");
	if (room_for(fd, offset, batch, &room, err) < 0)
		return -1;
	w.data = buf_reserve(&batch->raw, room);
	if (fill(fd, offset, (char *)w.data, room, &w.len, &w.at_end, err) < 0)
		return -1;

	struct spool_read *read = add_read(batch, name, offset);
	take_records(&w, &key, batch);
	batch->raw.len += w.pos;
	read->more = !w.at_end;
	read->finished = is_finished(fd, &w, read);
	return 0;
}

int spool_read(int dir_fd, const char *name, uint64_t offset, struct spool_batch *batch, struct err *err)
{
	AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	assert(batch->limit > 0 && strlen(name) < SPOOL_NAME_SIZE);
	if (fd < 0)
		return err_set(err, errno, "open spool file '%s'", name);
	if (read_file(fd, name, offset, batch, err) < 0)
		return err_prefix(err, "spool file '%s'", name);
	return 0;
}
