/*
 * What is in the package cache, as far as this process knows, and what has to go: beyond pool.package_cache_mb the packages
 * unused longest, but none that is being linked or that somebody waits for (version.h). On the loop only.
 */
#ifndef POOLMGR_PACKAGE_CACHE_H
#define POOLMGR_PACKAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "conf/conf.h"
#include "poolmgr/package/cache_files.h"

/* One that is unpacked on this node. Whoever uses one that is not listed yet lists it. */
struct package {
	char sha256[SHA256_TEXT_LEN + 1];
	int64_t bytes;
	int64_t used_us;             /* wall clock: the latest unpacking or linking */
	int links;                   /* under way */
	uint64_t unsafe;             /* not 0: the disk may not have it yet (sync.h); no other one has this number */
	struct package *prev, *next; /* by use: longest unused first */
	UT_hash_handle hh;
};

void cache_set_conf(const struct conf *conf);

/* Is it unpacked, and to be trusted by this process? Looks at the directory. */
bool cache_has(const char *sha256);
int64_t cache_bytes(void); /* what all take on the disk */

struct package *cache_find(const char *sha256); /* NULL: it is not listed */
struct package *cache_find_or_add(const char *sha256);
void cache_set_bytes(struct package *package, int64_t bytes);

/* It is used now: it goes last. */
void cache_use(struct package *package);

void cache_begin_link(struct package *package);
void cache_end_link(struct package *package); /* which may free it, when it is not there */

/* Its files go, and who had a version of it is told (version.h). Frees it. */
void cache_evict(struct package *package);

/* Evicts what has to go. */
void cache_make_room(void);

/* For who finds out what there is: lists nothing any more; puts what is listed into the order of its use. */
void cache_forget_all(void);
void cache_sort(void);

#endif
