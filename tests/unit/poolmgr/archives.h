/* Archives for tests, hostile ones included: what is asked for is written as it is. */
#ifndef UNIT_POOLMGR_ARCHIVES_H
#define UNIT_POOLMGR_ARCHIVES_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct archive_member {
	const char *path;
	mode_t type; /* S_IFREG (0 as well), S_IFDIR, S_IFLNK, S_IFCHR, S_IFIFO */
	unsigned perm;
	const char *content; /* text of a file, target of a symbolic link */
	const char *hard_link_to;
};

enum archive_kind { ARCHIVE_IS_TAR, ARCHIVE_IS_TAR_GZ, ARCHIVE_IS_ZIP };

/* Appends an archive with these members. */
void archive_make(enum archive_kind kind, const struct archive_member *members, size_t count, struct buf *out);

/* A tar.gz with one file main.x of that text. */
void archive_make_one(const char *text, struct buf *out);

#define SHA256_TEXT_SIZE 65
void archive_hash(const struct buf *archive, char out[SHA256_TEXT_SIZE]);

#endif
