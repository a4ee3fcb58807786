/*
 * Writes records to spool files: each record is appended in one write(2), and a new file is begun when the current one is large
 * enough. A file is locked while it is being written, so the collector knows which files are finished.
 */
#ifndef IPC_SPOOL_FILE_H
#define IPC_SPOOL_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "ipc/record.h"

struct spool_file_writer {
	int fd;          /* -1: the next record begins a new file */
	struct uuid key; /* the key of the file's records, which is also its name */
	off_t size;      /* size of the file, which contains only whole records */
	struct buf record;
};
#define SPOOL_FILE_NONE ((struct spool_file_writer){.fd = -1})

void spool_file_close(struct spool_file_writer *writer); /* destructor for AUTO */

/*
 * When it returns 0, the record survives the end of this process. The file ends with this record if it has reached file_bytes.
 */
int spool_file_append(struct spool_file_writer *writer, const char *state_dir, int64_t file_bytes, const struct record *record,
		      struct err *err);

#endif
