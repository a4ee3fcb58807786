#include "tests/unit/poolmgr/package/package_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/package/package.h"
#include "poolmgr/package/unpacking.h"
#include "tests/unit/poolmgr/threads.h"

void package_done(const struct err *err, void *arg)
{
	struct outcome *o = arg;

	assert_false(o->done);
	o->done = true;
	o->failed = err != NULL;
	if (err != NULL)
		o->err = *err;
}

struct outcome unpack(const char *sha256, const struct buf *archive)
{
	struct outcome o = {0};
	void *copy = mem_alloc(archive->len + 1);

	memcpy(copy, buf_str(archive), archive->len);
	unpacking_begin(sha256, copy, archive->len, package_done, &o);
	assert_false(o.done); /* never from within the call */
	WAIT_FOR(o.done);
	return o;
}

struct outcome unpack_members(enum archive_kind kind, const struct archive_member *members, size_t count,
			      char sha256[SHA256_TEXT_SIZE])
{
	AUTO(buf_free) struct buf archive = {0};

	archive_make(kind, members, count, &archive);
	archive_hash(&archive, sha256);
	return unpack(sha256, &archive);
}

struct outcome link_into(const char *sha256, const char *directory)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", rig.dir, directory);
	AUTO(mem_free) char *mounted = mem_printf("%s/" DIRECTORY_MOUNTED, path);
	AUTO(mem_free) char *function = mem_printf("%s/" DIRECTORY_FUNCTION, path);
	struct outcome o = {0};

	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(mkdir(mounted, 0755), 0);
	assert_int_equal(mkdir(function, 0755), 0);
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	package_link(sha256, fd, package_done, &o);
	assert_false(o.done);
	WAIT_FOR(o.done);
	return o;
}

void unpack_large(char marker, size_t kib, char sha256[SHA256_TEXT_SIZE])
{
	AUTO(mem_free) char *text = mem_alloc(kib * 1024 + 1);

	memset(text, marker, kib * 1024);
	const struct archive_member member = {.path = "main.x", .content = text};
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
}

void empty_the_cache(void)
{
	rig.conf->pool_package_cache_mb = 0;
	package_set_conf(rig.conf);
	WAIT_FOR(rig_count_names("cache") == 0);
}

void assert_file(const char *sha256, const char *name, const char *text, mode_t mode)
{
	AUTO(mem_free) char *path = mem_printf("%s/cache/%s/%s", rig.dir, sha256, name);
	AUTO(mem_free) char *have = NULL;
	struct stat st;
	struct err err;

	assert_ok(fd_read_file(path, 1 << 20, &have, NULL, &err));
	assert_string_equal(have, text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

mode_t mode_of(const char *sha256)
{
	AUTO(mem_free) char *path = mem_printf("%s/cache/%s", rig.dir, sha256);
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_mode & 0777;
}

/* ---- Threads ---- */

static void at_once(struct work *work)
{
	(void)work;
}

static bool is_done;

static void on_work_done(struct work *work)
{
	(void)work;
	is_done = true;
}

void wait_for_work(enum work_kind kind)
{
	struct work last = {at_once, on_work_done, NULL, NULL};

	assert_int_equal(work_threads(kind), 1);
	is_done = false;
	work_begin(kind, &last);
	WAIT_FOR(is_done);
}

/* ---- The disk ---- */

int __wrap_syncfs(int fd);

struct package_rig_disk package_rig_disk;

/* What reaches the disk cannot be seen without cutting the power. */
int __wrap_syncfs(int fd)
{
	(void)fd;
	if (package_rig_disk.waits != NULL)
		sem_wait(package_rig_disk.waits);
	package_rig_disk.calls++;
	if (package_rig_disk.fails) {
		errno = EIO;
		return -1;
	}
	return 0;
}

/* ---- Start ---- */

int package_rig_set_up(void **state)
{
	int rc = engine_rig_set_up(state);
	struct err err;

	assert_ok(package_init(rig.loop, rig.conf, &err));
	threads_settle(); /* the survey has ended then */
	return rc;
}
