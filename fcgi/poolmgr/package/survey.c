#include "poolmgr/package/survey.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/tree.h"
#include "poolmgr/node/work.h"
#include "poolmgr/package/cache.h"

/* A package found in the directory. */
struct found {
	char sha256[SHA256_TEXT_LEN + 1];
	int64_t bytes;
	int64_t used_us;
	bool unsafe; /* according to its mode */
	struct found *next;
};

struct survey {
	struct work work;
	struct found *found; /* owned */
};

/* ---- In a thread ---- */

/* A package that another poolmgr is unpacking is not a leftover. */
static bool is_leftover(int dir_fd, const char *name)
{
	return (strncmp(name, CACHE_TEMP_PREFIX, strlen(CACHE_TEMP_PREFIX)) == 0 && !tree_is_owned(dir_fd, name)) ||
	       strncmp(name, CACHE_REMOVE_PREFIX, strlen(CACHE_REMOVE_PREFIX)) == 0;
}

static void survey_one(int dir_fd, const char *name, void *arg)
{
	struct survey *s = arg;
	struct stat st;

	if (is_leftover(dir_fd, name))
		cache_files_remove(name);
	if (!cache_files_is_sha256(name) || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	struct found *f = mem_alloc(sizeof(*f));
	snprintf(f->sha256, sizeof(f->sha256), "%s", name);
	f->bytes = tree_bytes(dir_fd, name);
	f->used_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	f->unsafe = (st.st_mode & 0777) == CACHE_UNSAFE_MODE;
	LL_PREPEND(s->found, f);
}

static void survey_run(struct work *work)
{
	struct err err;

	if (tree_each(cache_files_fd(), survey_one, work, &err) < 0)
		log_error("package cache: %s", err.msg);
}

/* ---- On the loop ---- */

/* A package of an earlier process, or one that was unpacked meanwhile, which has its size already and may be safe by now. */
static void take_found(const struct found *f)
{
	struct package *p = cache_find(f->sha256);

	if (f->unsafe && (p == NULL || p->bytes == 0)) {
		log_info("package cache: %.16s… may not be whole on the disk, and goes", f->sha256);
		cache_files_put_away(f->sha256);
		return;
	}
	p = cache_find_or_add(f->sha256);
	cache_set_bytes(p, f->bytes);
	p->used_us = MAX(p->used_us, f->used_us);
}

static void survey_after(struct work *work)
{
	struct survey *s = (struct survey *)work;
	struct found *f, *next;

	LL_FOREACH_SAFE (s->found, f, next) {
		take_found(f);
		free(f);
	}
	free(s);
	cache_sort();
	cache_make_room();
}

void survey_begin(void)
{
	struct survey *s = mem_alloc(sizeof(*s));

	cache_forget_all();
	s->work = (struct work){survey_run, survey_after, NULL, NULL};
	work_begin(WORK_CHORE, &s->work);
}
