/* From an archive (tar, tar.gz or zip) to files. What is in it is hostile. Blocking: for worker threads. */
#ifndef POOLMGR_PACKAGE_UNPACK_H
#define POOLMGR_PACKAGE_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* err->code EFBIG: it has more. */
struct unpack_limits {
	int64_t bytes, files;
};

/*
 * Unpacks into the directory below, whose path has no symbolic link in it. The files are read-only, and nothing of the archive
 * can lead out of the directory. What was unpacked before a failure stays.
 */
int unpack_into(const char *below, const void *data, size_t len, const struct unpack_limits *max, struct err *err);

#endif
