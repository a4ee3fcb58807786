/*
 * The collector's table of the files in the spool directory: their sizes, and how far each is stored. The offsets are a copy of
 * those in PostgreSQL and are discarded after every error.
 */
#ifndef COLLECTOR_SPOOL_DIR_H
#define COLLECTOR_SPOOL_DIR_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "base/err.h"
#include "base/uuid.h"
#include "collector/spool_reader.h"

/*
 * Records that are whole but cannot be stored, and damaged bytes, are saved here unchanged, one file each; their key is that of
 * their spool file.
 */
#define SPOOL_REJECTED_DIR RECORD_REJECTED_DIR

struct spool_file {
	char name[SPOOL_NAME_SIZE]; /* <uuid><suffix> */
	uint64_t size;              /* size at the latest scan */
	uint64_t offset;            /* stored up to here */
	uint64_t looked_at_size;    /* size when it was read last */
	int64_t looked_at_us;       /* when it was read last; monotonic; 0: never */
	bool finished;              /* it is stored completely and has no writer: to be removed */
	bool unreadable;            /* the failure was logged */
	uint64_t scan;              /* number of the latest scan that found it */
	UT_hash_handle hh;
};

struct spool {
	char *path;
	int dir_fd;
	char id[UUID_TEXT_SIZE];  /* id of this directory, stored in its file "id", because several nodes may share one
				     PostgreSQL */
	char *node;               /* name of this machine */
	struct spool_file *files; /* by name */
	uint64_t scans;
};

/* path must exist. node: name of the machine. */
int spool_open(const char *path, const char *node, struct spool **spool, struct err *err);
void spool_close(struct spool **spool); /* destructor for AUTO; accepts NULL */

/*
 * Takes the directory, and with it the rows of PostgreSQL about it, for this collector; false while another collector has it.
 * It stays taken until spool_close or the end of the process.
 */
bool spool_claim(const struct spool *spool);

/*
 * Finds new files, forgets files that are gone, and updates the sizes. Files with names other than those of readable spool
 * files are ignored, except <uuid>.new: such a file, left by a writer that was killed before it gave it the final name, is
 * removed after a minute.
 */
int spool_scan(struct spool *spool, struct err *err);

/* NULL when there is none. */
struct spool_file *spool_find(const struct spool *spool, const char *name);

/* Whether the file should be read: it has grown, or its writer may have ended meanwhile. */
bool spool_file_is_due(const struct spool_file *file, int64_t now_us);

/* The number of bytes that are not stored yet. */
uint64_t spool_pending_bytes(const struct spool *spool);

/*
 * Removes the finished files from the disk; when it returns 0, not even a power failure brings one back. They stay in the table
 * until spool_forget_finished, so that their rows in PostgreSQL can be deleted in between.
 */
int spool_unlink_finished(struct spool *spool, size_t *count, struct err *err);
void spool_forget_finished(struct spool *spool);

/*
 * Saves a record, or damaged bytes, in SPOOL_REJECTED_DIR; doing so twice leaves one file. It is on the disk when this returns
 * 0.
 */
int spool_set_aside(const struct spool *spool, const char *name, uint64_t offset, const void *raw, size_t len, struct err *err);

#endif
