/*
 * The spool directory as the collector knows it: which files there are, how large, how far each is stored. Offsets come from
 * PostgreSQL; what is here is a copy that is thrown away after every error.
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
 * Records that are whole but cannot be stored, and bytes that are damaged, are put here as they were, one file each: the key is
 * that of their spool file.
 */
#define SPOOL_REJECTED_DIR RECORD_REJECTED_DIR

struct spool_file {
	char name[SPOOL_NAME_SIZE]; /* <uuid><suffix> */
	uint64_t size;              /* at the latest scan */
	uint64_t offset;            /* stored up to here */
	uint64_t looked_at_size;    /* its size when it was read last */
	int64_t looked_at_us;       /* monotonic; 0: never */
	bool finished;              /* all is stored and nobody writes it: to be removed */
	bool unreadable;            /* said so in the log */
	uint64_t scan;              /* the latest scan that saw it */
	UT_hash_handle hh;
};

struct spool {
	char *path;
	int dir_fd;
	char id[UUID_TEXT_SIZE];  /* of this directory, kept in its file "id": several nodes may share one PostgreSQL */
	char *node;               /* name of the machine whose invocations these are */
	struct spool_file *files; /* by name */
	uint64_t scans;
};

/* path must exist. node: name of the machine. */
int spool_open(const char *path, const char *node, struct spool **spool, struct err *err);
void spool_close(struct spool **spool); /* destructor for AUTO; accepts NULL */

/*
 * Whether the directory is ours, as is what PostgreSQL knows of it: one collector's at a time. Once it is, it stays so until
 * spool_close, or the end of the process.
 */
bool spool_claim(const struct spool *spool);

/*
 * Finds new files, forgets those that are gone, notes the sizes. Names that are not those of spool files it can read are none
 * of its business, but for <uuid>.new: what a writer left that was killed before it gave its file the final name is removed
 * after a minute.
 */
int spool_scan(struct spool *spool, struct err *err);

/* NULL when there is none. */
struct spool_file *spool_find(const struct spool *spool, const char *name);

/* Whether reading the file may bring something: it grew, or its writer may have gone meanwhile. */
bool spool_file_is_due(const struct spool_file *file, int64_t now_us);

/* Bytes not stored yet. */
uint64_t spool_pending_bytes(const struct spool *spool);

/*
 * Removes the finished files from the disk, for good: when it returns 0, not even a power failure brings one back. They stay in
 * the table until spool_forget_finished, so that their rows in PostgreSQL can be deleted in between.
 */
int spool_unlink_finished(struct spool *spool, size_t *count, struct err *err);
void spool_forget_finished(struct spool *spool);

/* Puts a record, or what is left of one, aside; doing so twice leaves one. It is on the disk when this returns 0. */
int spool_set_aside(const struct spool *spool, const char *name, uint64_t offset, const void *raw, size_t len, struct err *err);

#endif
