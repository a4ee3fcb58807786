/*
 * The directory of the package cache, <state_dir>/cache: what its names mean, and how what is in it goes. A package is there
 * whole or not at all: it is unpacked under another name and renamed, and renamed before it is removed.
 */
#ifndef POOLMGR_PACKAGE_CACHE_FILES_H
#define POOLMGR_PACKAGE_CACHE_FILES_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"

#define SHA256_TEXT_LEN 64 /* the name of a package: the hash of its archive */

/* What other names begin with. What is being unpacked is locked (poolmgr/node/tree.h), so another poolmgr leaves it alone. */
#define CACHE_TEMP_PREFIX   ".unpacking-"
#define CACHE_REMOVE_PREFIX ".removing-"

/*
 * How a package's directory is there: one that the disk may not have yet is only trusted by the process that unpacked it, so
 * that after a power failure it is unpacked anew.
 */
#define CACHE_UNSAFE_MODE 0700
#define CACHE_SAFE_MODE   0755

int cache_files_open(const struct conf *conf, struct err *err);
int cache_files_fd(void);
const char *cache_files_path(void); /* without symbolic links */

/* A hash, and so a safe file name. */
bool cache_files_is_sha256(const char *text);

/* One that nothing has yet, in new memory. */
char *cache_files_name_new(const char *prefix);

/* Removes it now, in a thread; or has it removed by one. What cannot be removed is at the next start. */
void cache_files_remove(const char *name);
void cache_files_remove_later(char *name); /* steals name */

/* Takes a package's name away, so that from now on it has to be unpacked anew; its files go later. */
void cache_files_put_away(const char *sha256);

#endif
