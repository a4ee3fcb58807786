/* Unpacks an archive (tar, tar.gz or zip), whose content is hostile. Blocking: for worker threads. */
#ifndef POOLMGR_PACKAGE_UNPACK_H
#define POOLMGR_PACKAGE_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Exceeding a limit fails with err->code EFBIG. */
struct unpack_limits {
	int64_t bytes, files;
};

/*
 * Unpacks into the given directory, whose path must contain no symbolic link. The files become read-only, and nothing in the
 * archive can lead out of the directory. Files unpacked before a failure stay.
 */
int unpack_into(const char *below, const void *data, size_t len, const struct unpack_limits *max, struct err *err);

#endif
