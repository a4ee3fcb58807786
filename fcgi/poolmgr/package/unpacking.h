/*
 * An archive becomes a package of this node: in a thread it is checked and unpacked beside what is there, on the loop it gets
 * its name and is listed (cache.h). Large ones do not hold up small ones.
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
 * Checks that the archive has that hash and unpacks it within the configured limits. Steals the archive, which was malloc'ed.
 * Unpacking one that is there already is no error.
 */
void unpacking_begin(const char *sha256, void *archive, size_t archive_len, unpacking_fn done, void *arg);

/* The same of an archive in a file, which is stolen; reading it must not block. */
void unpacking_begin_file(const char *sha256, int fd, size_t archive_len, unpacking_fn done, void *arg);

#endif
