/*
 * The node's cache of packages: <state_dir>/cache/<sha256>/ holds the unpacked files, read-only. A package appears there
 * whole or not at all (unpacked beside it, then renamed), and is used at once. After a power failure one that was not on the
 * disk yet is unpacked anew: until it is, its directory has another mode, and no other process trusts it. Work on files happens
 * in threads (poolmgr/node/work.h); callbacks come on the loop.
 *
 * Beyond pool.package_cache_mb, the packages unused longest are removed, but none that somebody waits for
 * (poolmgr/catalog/version.h). Sandboxes keep the files they have.
 */
#ifndef POOLMGR_CATALOG_PACKAGE_H
#define POOLMGR_CATALOG_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"

/* err NULL: done. */
typedef void (*package_done_fn)(const struct err *err, void *arg);

/* Opens the cache; what an earlier process left half unpacked is removed meanwhile. */
int package_init(uv_loop_t *loop, const struct conf *conf, struct err *err);
void package_set_conf(const struct conf *conf);

bool package_is_unpacked(const char *sha256);
int64_t package_cached_bytes(void); /* what all take on the disk */

/*
 * Checks that the archive has that hash and unpacks it within the configured limits. Steals the archive, which was malloc'ed.
 * Unpacking one that is there already is no error.
 */
void package_unpack(const char *sha256, void *archive, size_t archive_len, package_done_fn done, void *arg);

/* The same of an archive in a file, which is stolen; reading it must not block. */
void package_unpack_file(const char *sha256, int fd, size_t archive_len, package_done_fn done, void *arg);

/* Links an unpacked package's files into a sandbox's directory (DIRECTORY_FUNCTION), which the caller keeps open until done. */
void package_link(const char *sha256, int dir_fd, package_done_fn done, void *arg);

#endif
