/*
 * Turns an archive into a package of this node: a thread checks and unpacks it under a temporary name, then the loop gives it
 * its name and lists it (cache.h). Large packages do not delay small ones.
 */
#ifndef POOLMGR_PACKAGE_UNPACKING_H
#define POOLMGR_PACKAGE_UNPACKING_H

#include <stddef.h>

#include "base/err.h"
#include "conf/conf.h"

/* err NULL: done. */
typedef void (*unpacking_fn)(const struct err *err, void *arg);

void unpacking_set_conf(const struct conf *conf);

/*
 * Checks that the archive has the given hash and unpacks it within the configured limits. Steals the malloc'ed archive. It is
 * no error if the package exists already.
 */
void unpacking_begin(const char *sha256, void *archive, size_t archive_len, unpacking_fn done, void *arg);

/* The same for an archive in a file, whose descriptor is stolen; reading it must not block. */
void unpacking_begin_file(const char *sha256, int fd, size_t archive_len, unpacking_fn done, void *arg);

#endif
