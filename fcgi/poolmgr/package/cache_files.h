/*
 * The directory of the package cache, <state_dir>/cache: the meaning of its names, and the removal of its content. A package is
 * complete or absent: it is unpacked under a temporary name and then renamed, and renamed again before it is removed.
 */
#ifndef POOLMGR_PACKAGE_CACHE_FILES_H
#define POOLMGR_PACKAGE_CACHE_FILES_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"

#define SHA256_TEXT_LEN 64 /* the name of a package: the hash of its archive */

/*
 * Prefixes of other names. A package that is being unpacked is locked (poolmgr/node/tree.h), so another poolmgr leaves it
 * alone.
 */
#define CACHE_TEMP_PREFIX   ".unpacking-"
#define CACHE_REMOVE_PREFIX ".removing-"

/*
 * The state of a package's directory. A package that may not be on the disk yet is trusted only by the process that unpacked
 * it, so that after a power failure it is unpacked again.
 */
#define CACHE_UNSAFE_MODE 0700
#define CACHE_SAFE_MODE   0755

int cache_files_open(const struct conf *conf, struct err *err);
int cache_files_fd(void);
const char *cache_files_path(void); /* the path contains no symbolic links */

/* Whether it is a hash, and so a safe file name. */
bool cache_files_is_sha256(const char *text);

/* Makes an unused name, malloc'ed. */
char *cache_files_name_new(const char *prefix);

/* Removes it now, from a thread; or queues it for removal by a thread. What cannot be removed is removed at the next start. */
void cache_files_remove(const char *name);
void cache_files_remove_later(char *name); /* steals name */

/* Takes the package's name away, so that it has to be unpacked again; its files are removed later. */
void cache_files_put_away(const char *sha256);

#endif
