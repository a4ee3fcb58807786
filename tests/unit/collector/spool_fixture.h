/* A temporary state directory with a spool, and somebody who writes to it. Whatever fails ends the test. */
#ifndef TESTS_COLLECTOR_SPOOL_FIXTURE_H
#define TESTS_COLLECTOR_SPOOL_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/spool_reader.h"

struct spool_fixture {
	char state_dir[64];
	char spool_dir[80];
	int dir_fd; /* of the spool */
};

struct writer {
	char name[SPOOL_NAME_SIZE];
	struct uuid key; /* the one in the name */
	int fd;          /* holds the lock */
};

void spool_fixture_make(struct spool_fixture *f);
void spool_fixture_remove(struct spool_fixture *f);

void writer_open(struct spool_fixture *f, struct writer *w);
void writer_append(struct writer *w, const void *data, size_t len);
void writer_close(struct writer *w); /* the writer is gone */

/* A plausible record of now with a new id; its strings are constants. */
struct record sample_record(void);

/* Appends count sample records that differ in version, 1 to count. */
void writer_records(struct writer *w, int count);

/* As w's file holds it. */
void writer_encode(const struct writer *w, const struct record *record, struct buf *out);

size_t encoded_size(const struct record *record);
off_t file_size(const struct spool_fixture *f, const char *name); /* -1: no such file */

/* How many files rejected/ holds. */
int rejected_count(const struct spool_fixture *f);

#endif
