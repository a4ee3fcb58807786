/*
 * The packages in the cache, as far as this process knows, and their eviction: beyond pool.package_cache_mb the least recently
 * used packages are removed, except those that are being linked or waited for (version.h). To be used on the loop only.
 */
#ifndef POOLMGR_PACKAGE_CACHE_H
#define POOLMGR_PACKAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "conf/conf.h"
#include "poolmgr/package/cache_files.h"

/* A package that is unpacked on this node. A caller that uses a package which is not listed yet lists it. */
struct package {
	char sha256[SHA256_TEXT_LEN + 1];
	int64_t bytes;
	int64_t used_us;             /* wall-clock time of its latest unpacking or linking */
	int links;                   /* links under way */
	uint64_t unsafe;             /* not 0: it may not be on the disk yet (sync.h); the number is unique */
	struct package *prev, *next; /* by use, least recently used first */
	UT_hash_handle hh;
};

void cache_set_conf(const struct conf *conf);

/* Whether it is unpacked and can be trusted by this process. Looks at the directory. */
bool cache_has(const char *sha256);
int64_t cache_bytes(void); /* disk space of all packages */

struct package *cache_find(const char *sha256); /* NULL: it is not listed */
struct package *cache_find_or_add(const char *sha256);
void cache_set_bytes(struct package *package, int64_t bytes);

/* Marks it as used now, so that it is evicted last. */
void cache_use(struct package *package);

void cache_begin_link(struct package *package);
void cache_end_link(struct package *package); /* may free the package if its directory is gone */

/* Removes its files, marks its versions (version.h), and frees it. */
void cache_evict(struct package *package);

/* Evicts packages beyond pool.package_cache_mb. */
void cache_make_room(void);

/* For survey.h: cache_forget_all empties the list, cache_sort sorts it by use. */
void cache_forget_all(void);
void cache_sort(void);

#endif
