#include "poolmgr/node/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/tree.h"
#include "poolmgr/node/work.h"

/*
 * An earlier version of Berth mounted the whole directory into the sandbox, so its functions could lock it. After an upgrade
 * from that version, a lock on such a directory counts only as long as the old poolmgr may still run: until its last
 * invocations have waited, loaded and run, each of which the settings limit to a quarter of an hour.
 */
#define OLD_POOLMGR_US INT64_C(3600000000)

static int all_fd = -1;
static char *all_path;
static int64_t started_us;

char *directory_path(const char *id)
{
	return mem_printf("%s/%s", all_path, id);
}

static int make_readable(int dir_fd, const char *name, struct err *err)
{
	if (mkdirat(dir_fd, name, 0755) < 0 || fchmodat(dir_fd, name, 0755, 0) < 0) /* independent of the umask */
		return err_set(err, errno, "make directory '%s'", name);
	return 0;
}

static int write_readable(int dir_fd, const char *name, const char *text, struct err *err)
{
	AUTO(fd_close) int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0) /* independent of the umask */
		return err_set(err, errno, "make file '%s'", name);
	return fd_write_all(fd, text, strlen(text), err);
}

/* The names of users and groups in the sandbox: its own, root's, and those for numbers that have no name. */
static int write_names(int dir_fd, uint32_t uid, struct err *err)
{
	AUTO(mem_free)
	char *passwd = mem_printf("root:x:0:0:root:/root:/bin/sh\n"
				  "sandbox:x:%u:%u:sandbox:/tmp:/bin/sh\n"
				  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
				  uid, uid);
	AUTO(mem_free)
	char *group = mem_printf("root:x:0:\n"
				 "sandbox:x:%u:\n"
				 "nogroup:x:65534:\n",
				 uid);

	if (write_readable(dir_fd, DIRECTORY_PASSWD, passwd, err) < 0)
		return -1;
	return write_readable(dir_fd, DIRECTORY_GROUP, group, err);
}

int directory_make(const char *id, uint32_t uid, struct err *err)
{
	AUTO(fd_close) int fd = tree_make_owned(all_fd, id, err);

	if (fd < 0)
		return err_prefix(err, "%s", all_path);
	if (make_readable(fd, DIRECTORY_MOUNTED, err) < 0 || make_readable(fd, DIRECTORY_FUNCTION, err) < 0 ||
	    write_names(fd, uid, err) < 0)
		return err_prefix(err, "%s/%s", all_path, id);
	return TAKE_FD(fd);
}

bool directory_exists(const char *id)
{
	return faccessat(all_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_mounted_whole(const char *id)
{
	AUTO(mem_free) char *function = mem_printf("%s/function", id);

	return directory_exists(function);
}

bool directory_is_owned(const char *id)
{
	if (is_mounted_whole(id) && clock_mono_us() - started_us > OLD_POOLMGR_US)
		return false;
	return tree_is_owned(all_fd, id);
}

/* A removed directory has no links, even if a process still has it open. */
bool directory_is_gone(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* ---- Removing ---- */

struct removal {
	struct work work;
	char *id;
	void (*after)(bool removed, void *arg);
	void *arg;
	struct err err;
	int rc;
};

static void remove_run(struct work *work)
{
	struct removal *r = (struct removal *)work;

	r->rc = tree_remove(all_fd, r->id, &r->err);
}

static void remove_after(struct work *work)
{
	struct removal *r = (struct removal *)work;

	if (r->rc < 0)
		log_sandbox(LOG_ERROR, r->id, "its directory stays: %s", r->err.msg);
	r->after(r->rc == 0, r->arg);
	mem_free(&r->id);
	mem_free(&r);
}

void directory_remove(const char *id, void (*after)(bool removed, void *arg), void *arg)
{
	struct removal *r = mem_alloc(sizeof(*r));

	r->id = mem_strdup(id);
	r->after = after;
	r->arg = arg;
	r->work = (struct work){remove_run, remove_after, NULL, NULL};
	work_begin(WORK_DIRECTORY, &r->work);
}

/* ---- All of them ---- */

struct visit {
	void (*one)(const char *id, void *arg);
	void *arg;
};

static void visit_one(int dir_fd, const char *name, void *arg)
{
	const struct visit *v = arg;

	(void)dir_fd;
	v->one(name, v->arg);
}

int directory_each(void (*one)(const char *id, void *arg), void *arg, struct err *err)
{
	struct visit v = {one, arg};

	return tree_each(all_fd, visit_one, &v, err);
}

int directory_init(uv_loop_t *loop, const struct conf *conf, struct err *err)
{
	work_init(loop);
	started_us = clock_mono_us();
	all_path = mem_printf("%s/sandboxes", conf->master_state_dir);
	all_fd = open(all_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return all_fd < 0 ? err_set(err, errno, "open '%s'", all_path) : 0;
}
