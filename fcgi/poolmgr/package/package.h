/*
 * Packages on this node: <state_dir>/cache/<sha256>/ holds the unpacked files of one, read-only. A package appears there
 * whole or not at all (unpacking.h), and is used at once. After a power failure one that was not on the disk yet is unpacked
 * anew (sync.h). Beyond pool.package_cache_mb, those unused longest are removed (cache.h); sandboxes keep the files they have.
 * Work on files happens in threads (poolmgr/node/work.h); callbacks come on the loop.
 */
#ifndef POOLMGR_PACKAGE_PACKAGE_H
#define POOLMGR_PACKAGE_PACKAGE_H

#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"

/* err NULL: done. */
typedef void (*package_done_fn)(const struct err *err, void *arg);

/* Opens the cache; what an earlier process left half unpacked is removed meanwhile (survey.h). */
int package_init(uv_loop_t *loop, const struct conf *conf, struct err *err);
void package_set_conf(const struct conf *conf);

/* Links an unpacked package's files into a sandbox's directory (DIRECTORY_FUNCTION), which the caller keeps open until done. */
void package_link(const char *sha256, int dir_fd, package_done_fn done, void *arg);

#endif
