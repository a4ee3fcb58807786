/*
 * Reads records from spool files into a batch, which one transaction stores. A file is read from a given offset; there is no
 * state between calls.
 *
 * A spool file belongs to its writer as long as the writer holds an exclusive flock(2) on it. A writer takes the lock before
 * the file gets its final name, so a file without a lock is finished, and an incomplete record at its end will never be
 * completed.
 */
#ifndef COLLECTOR_SPOOL_READER_H
#define COLLECTOR_SPOOL_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "ipc/record.h"

#define SPOOL_NAME_SIZE (UUID_TEXT_SIZE + RECORD_SUFFIX_MAX)

/* One record; everything it points to lives in the batch's raw. */
struct spool_record {
	struct record record;
	const char *raw; /* length with its header */
	size_t raw_len;
	size_t read;     /* index of the spool_read it came from */
	uint64_t offset; /* offset in the file */
	bool refused;    /* not to be stored (spool_batch_refuse) */
};

/* Bytes that are not a record; they are in the batch's raw, too. */
struct spool_damage {
	const char *raw;
	size_t len;
	size_t read; /* as above */
	uint64_t offset;
};

/* The result of one call of spool_read. */
struct spool_read {
	char name[SPOOL_NAME_SIZE];
	uint64_t from, to;      /* the bytes from from to to are in the batch or damaged */
	uint64_t damaged_bytes; /* damaged bytes that were skipped and are in damages; more records may follow */
	uint64_t torn_bytes;    /* bytes dropped at the end: an incomplete record */
	bool more;              /* the batch is full and the file has more */
	bool finished;          /* the file has no writer, and to is its end */
};

struct spool_batch {
	size_t limit; /* maximum bytes of spool files in the batch, unless a single record is larger */
	struct buf raw;
	struct spool_record *records;
	size_t record_count, record_cap;
	struct spool_read *reads; /* at most one per file */
	size_t read_count, read_cap;
	struct spool_damage *damages;
	size_t damage_count, damage_cap;
	size_t refused_count; /* number of refused records, and the reason for the first one */
	char refused_why[sizeof(((struct err *)0)->msg)];
};

void spool_batch_reset(struct spool_batch *batch, size_t limit); /* empties it; keeps the memory */
void spool_batch_free(struct spool_batch *batch);                /* destructor for AUTO */

/* Marks a record of the batch as not to be stored. */
void spool_batch_refuse(struct spool_batch *batch, struct spool_record *record, const char *why);

/*
 * Appends the records of the file from offset on, and one element to batch->reads. On failure (ENOENT: the file is gone) the
 * batch is unchanged. A read without progress whose more is set means that the batch must be emptied first.
 */
int spool_read(int dir_fd, const char *name, uint64_t offset, struct spool_batch *batch, struct err *err);

#endif
