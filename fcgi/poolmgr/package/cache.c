#include "poolmgr/package/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/catalog/version.h"

static const struct conf *conf;
static struct package *packages;
static struct package *by_use; /* the same packages, least recently used first */
static int64_t cached_bytes;   /* total size of all packages */

struct package *cache_find(const char *sha256)
{
	struct package *p;

	HASH_FIND_STR(packages, sha256, p);
	return p;
}

struct package *cache_find_or_add(const char *sha256)
{
	struct package *p = cache_find(sha256);

	if (p != NULL)
		return p;
	p = mem_alloc(sizeof(*p));
	snprintf(p->sha256, sizeof(p->sha256), "%s", sha256);
	HASH_ADD_STR(packages, sha256, p);
	DL_APPEND(by_use, p);
	return p;
}

static void forget(struct package *p)
{
	cached_bytes -= p->bytes;
	HASH_DEL(packages, p);
	DL_DELETE(by_use, p);
	free(p);
}

void cache_forget_all(void)
{
	while (by_use != NULL)
		forget(by_use);
}

void cache_set_bytes(struct package *p, int64_t bytes)
{
	cached_bytes += bytes - p->bytes;
	p->bytes = bytes;
}

void cache_use(struct package *p)
{
	p->used_us = clock_wall_us();
	DL_DELETE(by_use, p);
	DL_APPEND(by_use, p);
}

void cache_begin_link(struct package *p)
{
	p->links++;
	cache_use(p);
}

void cache_end_link(struct package *p)
{
	if (--p->links == 0 && p->bytes == 0) /* it does not exist, or the survey has not found it yet */
		forget(p);
}

void cache_evict(struct package *p)
{
	log_debug("package cache: %.16s… goes, %lld bytes", p->sha256, (long long)p->bytes);
	cache_files_put_away(p->sha256);
	version_package_gone(p->sha256);
	forget(p);
}

void cache_make_room(void)
{
	struct package *p, *next;
	int64_t most = conf->pool_package_cache_mb << 20;

	DL_FOREACH_SAFE (by_use, p, next) {
		if (cached_bytes <= most)
			return;
		if (p->links == 0 && !version_needs_package(p->sha256))
			cache_evict(p);
	}
}

static int longest_unused_first(const struct package *a, const struct package *b)
{
	return (a->used_us > b->used_us) - (a->used_us < b->used_us);
}

void cache_sort(void)
{
	DL_SORT(by_use, longest_unused_first);
}

bool cache_has(const char *sha256)
{
	const struct package *p = cache_find(sha256);
	struct stat st;

	if (!cache_files_is_sha256(sha256) || fstatat(cache_files_fd(), sha256, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode))
		return false;
	return (st.st_mode & 0777) != CACHE_UNSAFE_MODE || (p != NULL && p->unsafe);
}

int64_t cache_bytes(void)
{
	return cached_bytes;
}

void cache_set_conf(const struct conf *c)
{
	conf = c;
}
