#include "poolmgr/package/sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/work.h"
#include "poolmgr/package/cache.h"

struct fresh {
	char sha256[SHA256_TEXT_LEN + 1];
	uint64_t unsafe;
	struct fresh *next;
};

struct sync {
	struct work work;
	struct fresh *fresh; /* packages that will be on the disk when the current sync ends; owned */
	int rc;
	struct err err;
};

static struct fresh *fresh; /* packages unpacked since the current sync began */
static bool syncing;
static uint64_t last_unsafe;

static void begin_sync(void);

static void sync_run(struct work *work)
{
	struct sync *s = (struct sync *)work;

	s->rc = syncfs(cache_files_fd());
	if (s->rc < 0)
		err_set(&s->err, errno, "write packages to the disk");
}

/* Skips a package that was replaced by another of that name meanwhile. */
static void end_unsafe(const struct fresh *f, bool on_disk)
{
	struct package *p = cache_find(f->sha256);

	if (p == NULL || p->unsafe != f->unsafe)
		return;
	if (!on_disk) {
		cache_evict(p);
		return;
	}
	p->unsafe = 0;
	if (fchmodat(cache_files_fd(), p->sha256, CACHE_SAFE_MODE, 0) < 0 && errno != ENOENT)
		log_error("package cache: change the mode of %.16s…: %s", p->sha256, strerror(errno));
}

static void sync_after(struct work *work)
{
	struct sync *s = (struct sync *)work;
	struct fresh *f, *next;

	if (s->rc < 0)
		log_error("package cache: %s", s->err.msg);
	LL_FOREACH_SAFE (s->fresh, f, next) {
		end_unsafe(f, s->rc == 0);
		free(f);
	}
	free(s);
	syncing = false;
	begin_sync();
}

static void begin_sync(void)
{
	if (syncing || fresh == NULL)
		return;
	struct sync *s = mem_alloc(sizeof(*s));
	s->work = (struct work){sync_run, sync_after, NULL, NULL};
	s->fresh = fresh;
	fresh = NULL;
	syncing = true;
	work_begin(WORK_SYNC, &s->work);
}

void sync_package(struct package *p)
{
	struct fresh *f = mem_alloc(sizeof(*f));

	memcpy(f->sha256, p->sha256, sizeof(f->sha256));
	f->unsafe = p->unsafe = ++last_unsafe;
	LL_PREPEND(fresh, f);
	begin_sync();
}
