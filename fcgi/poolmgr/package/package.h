/*
 * Packages on this node: <state_dir>/cache/<sha256>/ holds the unpacked files of one, read-only. A package is complete or
 * absent there (unpacking.h), and is used at once. After a power failure packages that were not on the disk yet are unpacked
 * again (sync.h). Beyond pool.package_cache_mb, the least recently used packages are removed (cache.h); sandboxes keep the
 * files they have. Work on files happens in threads (poolmgr/node/work.h); callbacks come on the loop.
 */
#ifndef POOLMGR_PACKAGE_PACKAGE_H
#define POOLMGR_PACKAGE_PACKAGE_H

#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"

/* err NULL: done. */
typedef void (*package_done_fn)(const struct err *err, void *arg);

/* Opens the cache. Incomplete packages of an earlier process are removed in the background (survey.h). */
int package_init(uv_loop_t *loop, const struct conf *conf, struct err *err);
void package_set_conf(const struct conf *conf);

/*
 * Links an unpacked package's files into a sandbox's directory (DIRECTORY_FUNCTION), which the caller must keep open until done
 * is called.
 */
void package_link(const char *sha256, int dir_fd, package_done_fn done, void *arg);

#endif
