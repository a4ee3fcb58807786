/*
 * Writes records to spool files, one after the other: each is appended in one write(2), and the next file is begun when one is
 * large enough. The file is locked as long as it is written, so the collector knows which ones are finished.
 */
#ifndef IPC_SPOOL_FILE_H
#define IPC_SPOOL_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "ipc/record.h"

struct spool_file_writer {
	int fd;          /* -1: the next record begins a new file */
	struct uuid key; /* of the file's records: in its name */
	off_t size;      /* of the file: all whole records */
	struct buf record;
};
#define SPOOL_FILE_NONE ((struct spool_file_writer){.fd = -1})

void spool_file_close(struct spool_file_writer *writer); /* destructor for AUTO */

/* Once it returns 0, the record survives the end of this process. It may be the last of its file, which has file_bytes then. */
int spool_file_append(struct spool_file_writer *writer, const char *state_dir, int64_t file_bytes, const struct record *record,
		      struct err *err);

#endif
