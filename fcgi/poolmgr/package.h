/*
 * The node's cache of packages: <state_dir>/packages/<sha256>/ holds the unpacked files, read-only. A package appears there
 * whole or not at all, even when the power fails (unpacked beside it, written to the disk, then renamed). Work on files happens
 * in libuv's thread pool; callbacks come on the loop.
 *
 * Beyond pool.package_cache_mb, the packages unused longest are removed, but none that a known version runs
 * (poolmgr/version.h).
 */
#ifndef POOLMGR_PACKAGE_H
#define POOLMGR_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"

/* err NULL: done. */
typedef void (*package_done_fn)(const struct err *err, void *arg);

/* Opens the cache and removes what an earlier process left half unpacked. */
int package_init(uv_loop_t *loop, const struct conf *conf, struct err *err);
void package_set_conf(const struct conf *conf);

bool package_is_unpacked(const char *sha256);

/*
 * Checks that the archive has that hash and unpacks it within the configured limits. Steals the archive, which was malloc'ed.
 * Unpacking one that is there already is no error.
 */
void package_unpack(const char *sha256, void *archive, size_t archive_len, package_done_fn done, void *arg);

/* Links an unpacked package's files into a sandbox's directory (DIRECTORY_FUNCTION), which the caller keeps open until done. */
void package_link(const char *sha256, int dir_fd, package_done_fn done, void *arg);

#endif
