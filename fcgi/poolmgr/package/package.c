#include "poolmgr/package/package.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/node/tree.h"
#include "poolmgr/node/work.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/survey.h"
#include "poolmgr/package/unpacking.h"

/* ---- Linking ---- */

struct link {
	struct work work;
	char sha256[SHA256_TEXT_LEN + 1];
	int dir_fd; /* borrowed */
	int rc;
	struct err err;
	package_done_fn done;
	void *arg;
};

static int link_files(const char *sha256, int dir_fd, struct err *err)
{
	AUTO(fd_close) int from = openat(cache_files_fd(), sha256, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd_close) int to = openat(dir_fd, DIRECTORY_FUNCTION, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (from < 0 || to < 0)
		return err_set(err, errno, "open package %.16s… or the sandbox's directory", sha256);
	futimens(from, NULL); /* notes its latest use, for after a restart; if this fails, it is evicted a little sooner */
	return tree_link(from, to, err);
}

static void link_run(struct work *work)
{
	struct link *l = (struct link *)work;

	l->rc = link_files(l->sha256, l->dir_fd, &l->err);
}

static void link_after(struct work *work)
{
	struct link *l = (struct link *)work;

	cache_end_link(cache_find_or_add(l->sha256));
	l->done(l->rc < 0 ? &l->err : NULL, l->arg);
	mem_free(&l);
}

void package_link(const char *sha256, int dir_fd, package_done_fn done, void *arg)
{
	struct link *l = mem_alloc(sizeof(*l));

	snprintf(l->sha256, sizeof(l->sha256), "%s", sha256);
	l->dir_fd = dir_fd;
	l->done = done;
	l->arg = arg;
	cache_begin_link(cache_find_or_add(sha256));
	l->work = (struct work){link_run, link_after, NULL, NULL};
	work_begin(WORK_LINK, &l->work);
}

/* ---- Start ---- */

int package_init(uv_loop_t *loop, const struct conf *conf, struct err *err)
{
	if (cache_files_open(conf, err) < 0)
		return -1;
	work_init(loop);
	cache_set_conf(conf);
	unpacking_set_conf(conf);
	setlocale(LC_CTYPE, "C.UTF-8"); /* without this libarchive refuses names that are not ASCII */
	survey_begin();
	return 0;
}

void package_set_conf(const struct conf *conf)
{
	cache_set_conf(conf);
	unpacking_set_conf(conf);
	cache_make_room();
}
