#include "poolmgr/package/cache_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/tree.h"
#include "poolmgr/node/work.h"

static int packages_fd = -1;
static char *packages_path;

int cache_files_fd(void)
{
	return packages_fd;
}

const char *cache_files_path(void)
{
	return packages_path;
}

bool cache_files_is_sha256(const char *text)
{
	return strlen(text) == SHA256_TEXT_LEN && strspn(text, "0123456789abcdef") == SHA256_TEXT_LEN;
}

/* Another poolmgr may create names in this directory, too. */
char *cache_files_name_new(const char *prefix)
{
	return mem_printf("%s%08x%08x", prefix, randombytes_random(), randombytes_random());
}

void cache_files_remove(const char *name)
{
	struct err err;

	if (tree_remove(packages_fd, name, &err) < 0)
		log_warn("package cache: '%s' stays: %s", name, err.msg);
}

/* ---- Later ---- */

struct removal {
	struct work work;
	char *name; /* owned */
};

static void removal_run(struct work *work)
{
	cache_files_remove(((struct removal *)work)->name);
}

static void removal_after(struct work *work)
{
	struct removal *r = (struct removal *)work;

	mem_free(&r->name);
	mem_free(&r);
}

void cache_files_remove_later(char *name)
{
	struct removal *r = mem_alloc(sizeof(*r));

	r->name = name;
	r->work = (struct work){removal_run, removal_after, NULL, NULL};
	work_begin(WORK_CHORE, &r->work);
}

void cache_files_put_away(const char *sha256)
{
	AUTO(mem_free) char *name = cache_files_name_new(CACHE_REMOVE_PREFIX);

	if (renameat(packages_fd, sha256, packages_fd, name) == 0)
		cache_files_remove_later(TAKE_PTR(name));
	else if (errno != ENOENT) /* otherwise the cache was cleared from outside */
		log_error("package cache: rename %.16s…: %s", sha256, strerror(errno));
}

int cache_files_open(const struct conf *conf, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/cache", conf->master_state_dir);
	AUTO(mem_free)
	char *real = realpath(path, NULL); /* because libarchive's check for symbolic links looks at every component */
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (real == NULL || fd < 0)
		return err_set(err, errno, "open '%s'", path);
	mem_free(&packages_path);
	fd_close(&packages_fd);
	packages_path = TAKE_PTR(real);
	packages_fd = TAKE_FD(fd);
	return 0;
}
