#include "poolmgr/catalog/package.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/catalog/unpack.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/node/tree.h"
#include "poolmgr/node/work.h"

#define SHA256_TEXT_LEN 64
#define TEMP_PREFIX     ".unpacking-"
#define REMOVE_PREFIX   ".removing-"

/* A package that is no larger is unpacked beside those that are, not behind them. */
#define SMALL_ARCHIVE_BYTES  (INT64_C(1) << 20)
#define SMALL_UNPACKED_BYTES (INT64_C(16) << 20)
#define SMALL_FILES          2000

/*
 * How a directory is there: one that the disk may not have yet is only trusted by the process that unpacked it, so that after a
 * power failure it is unpacked anew.
 */
#define UNSAFE_MODE 0700
#define SAFE_MODE   0755

static const struct conf *conf;
static int packages_fd = -1;
static char *packages_path;

/* One that is unpacked on this node. Whoever uses one that is not listed yet lists it. */
struct package {
	char sha256[SHA256_TEXT_LEN + 1];
	int64_t bytes;
	int64_t used_us;             /* wall clock: the latest unpacking or linking */
	int links;                   /* under way */
	uint64_t unsafe;             /* not 0: the disk may not have it yet; no other one has this number */
	struct package *prev, *next; /* by_use; or survey's list */
	UT_hash_handle hh;
};

static struct package *packages;
static struct package *by_use; /* the same: longest unused first */
static int64_t cached_bytes;   /* of all packages */
static uint64_t last_unsafe;

/* A hash, and so a safe file name. */
static bool is_sha256(const char *text)
{
	return strlen(text) == SHA256_TEXT_LEN && strspn(text, "0123456789abcdef") == SHA256_TEXT_LEN;
}

/* ---- Unpacking: runs in a thread ---- */

static int check_hash(const char *sha256, const void *data, size_t len, struct err *err)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char text[SHA256_TEXT_LEN + 1];

	crypto_hash_sha256(hash, data, len);
	sodium_bin2hex(text, sizeof(text), hash, sizeof(hash));
	if (strcmp(text, sha256) != 0)
		return err_set(err, EINVAL, "package: its SHA-256 is %s, not %s", text, sha256);
	return 0;
}

/* What cannot be removed now is at the next start. */
static void remove_tree(const char *name)
{
	struct err err;

	if (tree_remove(packages_fd, name, &err) < 0)
		log_warn("package cache: '%s' stays: %s", name, err.msg);
}

/* Another poolmgr makes names here, too. */
static char *name_new(const char *prefix)
{
	return mem_printf("%s%08x%08x", prefix, randombytes_random(), randombytes_random());
}

/* Into temp, which is ours as long as *owned_fd is open. */
static int unpack(const char *sha256, const char *temp, const void *data, size_t len, const struct unpack_limits *max,
		  int *owned_fd, struct err *err)
{
	AUTO(mem_free) char *below = mem_printf("%s/%s", packages_path, temp);

	if (check_hash(sha256, data, len, err) < 0)
		return -1;
	AUTO(fd_close) int owned = tree_make_owned(packages_fd, temp, err);
	if (owned < 0)
		return err_prefix(err, "package: %s", packages_path);
	if (unpack_into(below, data, len, max, err) < 0) {
		remove_tree(temp);
		return -1;
	}
	if (fchmod(owned, UNSAFE_MODE) < 0) {
		err_set(err, errno, "package: change the mode of '%s'", below);
		remove_tree(temp);
		return -1;
	}
	*owned_fd = TAKE_FD(owned);
	return 0;
}

static int link_files(const char *sha256, int dir_fd, struct err *err)
{
	AUTO(fd_close) int from = openat(packages_fd, sha256, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd_close) int to = openat(dir_fd, DIRECTORY_FUNCTION, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (from < 0 || to < 0)
		return err_set(err, errno, "open package %.16s… or the sandbox's directory", sha256);
	futimens(from, NULL); /* its last use, for after a restart; without it, it goes a little sooner */
	return tree_link(from, to, err);
}

/* ---- What an earlier process left: found in a thread ---- */

struct survey {
	struct work work;
	struct package *found; /* a list by next; owned */
};

/* What another poolmgr unpacks just now is none. */
static bool is_leftover(int dir_fd, const char *name)
{
	return (strncmp(name, TEMP_PREFIX, strlen(TEMP_PREFIX)) == 0 && !tree_is_owned(dir_fd, name)) ||
	       strncmp(name, REMOVE_PREFIX, strlen(REMOVE_PREFIX)) == 0;
}

static void survey_one(int dir_fd, const char *name, void *arg)
{
	struct survey *s = arg;
	struct stat st;

	if (is_leftover(dir_fd, name))
		remove_tree(name);
	if (!is_sha256(name) || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	struct package *p = mem_alloc(sizeof(*p));
	snprintf(p->sha256, sizeof(p->sha256), "%s", name);
	p->bytes = tree_bytes(dir_fd, name);
	p->used_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	p->unsafe = (st.st_mode & 0777) == UNSAFE_MODE;
	LL_PREPEND(s->found, p);
}

static void survey_run(struct work *work)
{
	struct err err;

	if (tree_each(packages_fd, survey_one, work, &err) < 0)
		log_error("package cache: %s", err.msg);
}

/* ---- What is in the cache, and what has to go: on the loop ---- */

struct removal {
	struct work work;
	char *name; /* owned */
};

static void removal_run(struct work *work)
{
	remove_tree(((struct removal *)work)->name);
}

static void removal_after(struct work *work)
{
	struct removal *r = (struct removal *)work;

	mem_free(&r->name);
	mem_free(&r);
}

/* Steals name. */
static void remove_later(char *name)
{
	struct removal *r = mem_alloc(sizeof(*r));

	r->name = name;
	r->work = (struct work){removal_run, removal_after, NULL, NULL};
	work_begin(WORK_CHORE, &r->work);
}

/* Renamed at once, so that from now on it has to be unpacked anew; its files take their time. */
static void put_away(const char *sha256)
{
	AUTO(mem_free) char *name = name_new(REMOVE_PREFIX);

	if (renameat(packages_fd, sha256, packages_fd, name) == 0)
		remove_later(TAKE_PTR(name));
	else if (errno != ENOENT) /* else somebody cleared the cache */
		log_error("package cache: rename %.16s…: %s", sha256, strerror(errno));
}

static struct package *find(const char *sha256)
{
	struct package *p;

	HASH_FIND_STR(packages, sha256, p);
	return p;
}

static struct package *find_or_add(const char *sha256)
{
	struct package *p = find(sha256);

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

static void set_bytes(struct package *p, int64_t bytes)
{
	cached_bytes += bytes - p->bytes;
	p->bytes = bytes;
}

static void use(struct package *p)
{
	p->used_us = clock_wall_us();
	DL_DELETE(by_use, p);
	DL_APPEND(by_use, p);
}

static void end_link(struct package *p)
{
	if (--p->links == 0 && p->bytes == 0) /* it is not there, or the survey is still to find it */
		forget(p);
}

static void evict(struct package *p)
{
	log_debug("package cache: %.16s… goes, %lld bytes", p->sha256, (long long)p->bytes);
	put_away(p->sha256);
	version_package_gone(p->sha256);
	forget(p);
}

static void make_room(void)
{
	struct package *p, *next;
	int64_t most = conf->pool_package_cache_mb << 20;

	DL_FOREACH_SAFE (by_use, p, next) {
		if (cached_bytes <= most)
			return;
		if (p->links == 0 && !version_needs_package(p->sha256))
			evict(p);
	}
}

static int longest_unused_first(const struct package *a, const struct package *b)
{
	return (a->used_us > b->used_us) - (a->used_us < b->used_us);
}

/* Of an earlier process, or one that was unpacked meanwhile. */
static void take_found(const struct package *found)
{
	struct package *p = find(found->sha256);

	if (found->unsafe && (p == NULL || !p->unsafe)) {
		log_info("package cache: %.16s… may not be whole on the disk, and goes", found->sha256);
		put_away(found->sha256);
		return;
	}
	p = find_or_add(found->sha256);
	set_bytes(p, found->bytes);
	p->used_us = MAX(p->used_us, found->used_us);
}

static void survey_after(struct work *work)
{
	struct survey *s = (struct survey *)work;
	struct package *p, *next;

	LL_FOREACH_SAFE (s->found, p, next) {
		take_found(p);
		free(p);
	}
	free(s);
	DL_SORT(by_use, longest_unused_first);
	make_room();
}

static void start_survey(void)
{
	struct survey *s = mem_alloc(sizeof(*s));

	while (by_use != NULL)
		forget(by_use);
	s->work = (struct work){survey_run, survey_after, NULL, NULL};
	work_begin(WORK_CHORE, &s->work);
}

/* ---- Onto the disk: nobody waits for that ---- */

struct fresh {
	char sha256[SHA256_TEXT_LEN + 1];
	uint64_t unsafe;
	struct fresh *next;
};

struct sync {
	struct work work;
	struct fresh *fresh; /* what is on the disk once it is over; owned */
	int rc;
	struct err err;
};

static struct fresh *fresh; /* what was unpacked since the sync under way began */
static bool syncing;

static void begin_sync(void);

static void sync_run(struct work *work)
{
	struct sync *s = (struct sync *)work;

	s->rc = syncfs(packages_fd);
	if (s->rc < 0)
		err_set(&s->err, errno, "write packages to the disk");
}

/* Unless it is another one of that name by now. */
static void end_unsafe(const struct fresh *f, bool on_disk)
{
	struct package *p = find(f->sha256);

	if (p == NULL || p->unsafe != f->unsafe)
		return;
	if (!on_disk) {
		evict(p);
		return;
	}
	p->unsafe = 0;
	if (fchmodat(packages_fd, p->sha256, SAFE_MODE, 0) < 0 && errno != ENOENT)
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

static void mark_unsafe(struct package *p)
{
	struct fresh *f = mem_alloc(sizeof(*f));

	memcpy(f->sha256, p->sha256, sizeof(f->sha256));
	f->unsafe = p->unsafe = ++last_unsafe;
	LL_PREPEND(fresh, f);
	begin_sync();
}

/* ---- Jobs: from the loop to a thread and back ---- */

struct job {
	struct work work;
	char sha256[SHA256_TEXT_LEN + 1];
	void *archive;  /* owned; NULL: it is in archive_fd, or there is none */
	int archive_fd; /* owned; -1: none */
	size_t archive_len;
	enum work_kind kind;
	struct unpack_limits max; /* the job's own: the configuration may be replaced meanwhile */
	struct unpack_limits all; /* of any package */
	char *temp;               /* owned: where it is unpacked */
	int owned_fd;             /* -1: it is not */
	int64_t bytes;            /* what it takes on the disk */
	int dir_fd;               /* to link into; borrowed */
	int rc;
	struct err err;
	package_done_fn done;
	void *arg;
};

static void job_free(struct job **job)
{
	fd_close(&(*job)->archive_fd);
	fd_close(&(*job)->owned_fd);
	mem_free(&(*job)->archive);
	mem_free(&(*job)->temp);
	mem_free(job);
}

static struct job *job_new(const char *sha256, package_done_fn done, void *arg)
{
	struct job *j = mem_alloc(sizeof(*j));

	snprintf(j->sha256, sizeof(j->sha256), "%s", sha256);
	j->archive_fd = j->owned_fd = j->dir_fd = -1;
	j->done = done;
	j->arg = arg;
	return j;
}

/* Not mapped: who has sent it may have it shortened. */
static int read_archive(struct job *j)
{
	AUTO(mem_free) char *bytes = mem_alloc(j->archive_len);

	for (size_t have = 0; have < j->archive_len;) {
		ssize_t n = pread(j->archive_fd, bytes + have, j->archive_len - have, (off_t)have);
		if (n <= 0)
			return err_set(&j->err, n < 0 ? errno : EINVAL, "read the package");
		have += (size_t)n;
	}
	j->archive = TAKE_PTR(bytes);
	return 0;
}

static void unpack_run(struct work *work)
{
	struct job *j = (struct job *)work;

	j->rc = j->archive == NULL ? read_archive(j) : 0;
	if (j->rc == 0)
		j->rc = unpack(j->sha256, j->temp, j->archive, j->archive_len, &j->max, &j->owned_fd, &j->err);
	if (j->rc == 0)
		j->bytes = tree_bytes(packages_fd, j->temp);
	if (j->archive_fd >= 0)
		mem_free(&j->archive);
}

/* Gives it its name. One that is there already is as good, unless only another process could say so. */
static int publish(struct job *j)
{
	if (!package_is_unpacked(j->sha256)) {
		put_away(j->sha256); /* what an earlier process left */
		if (renameat(packages_fd, j->temp, packages_fd, j->sha256) < 0) {
			err_set(&j->err, errno, "package: rename '%s'", j->temp);
			remove_later(TAKE_PTR(j->temp));
			return -1;
		}
		struct package *p = find_or_add(j->sha256);
		set_bytes(p, j->bytes);
		mark_unsafe(p);
	} else {
		remove_later(TAKE_PTR(j->temp));
	}
	use(find_or_add(j->sha256));
	return 0;
}

/* It took itself for small. */
static bool goes_on_as_large(struct job *j)
{
	if (j->rc == 0 || j->err.code != EFBIG || j->kind == WORK_UNPACK_LARGE)
		return false;
	j->kind = WORK_UNPACK_LARGE;
	j->max = j->all;
	work_begin(j->kind, &j->work);
	return true;
}

static void unpack_after(struct work *work)
{
	struct job *j = (struct job *)work;

	if (goes_on_as_large(j))
		return;
	if (j->rc == 0)
		j->rc = publish(j);
	j->done(j->rc < 0 ? &j->err : NULL, j->arg);
	job_free(&j);
	make_room();
}

static void begin_unpacking(struct job *j)
{
	bool small = (int64_t)j->archive_len <= SMALL_ARCHIVE_BYTES;

	j->all = (struct unpack_limits){conf->limits_package_unpacked_bytes, conf->limits_package_files};
	j->max = small ? (struct unpack_limits){MIN(j->all.bytes, SMALL_UNPACKED_BYTES), MIN(j->all.files, SMALL_FILES)}
		       : j->all;
	j->kind = small ? WORK_UNPACK : WORK_UNPACK_LARGE;
	j->temp = name_new(TEMP_PREFIX);
	j->work = (struct work){unpack_run, unpack_after, NULL, NULL};
	work_begin(j->kind, &j->work);
}

void package_unpack(const char *sha256, void *archive, size_t archive_len, package_done_fn done, void *arg)
{
	struct job *j = job_new(sha256, done, arg);

	j->archive = archive;
	j->archive_len = archive_len;
	begin_unpacking(j);
}

void package_unpack_file(const char *sha256, int fd, size_t archive_len, package_done_fn done, void *arg)
{
	struct job *j = job_new(sha256, done, arg);

	j->archive_fd = fd;
	j->archive_len = archive_len;
	begin_unpacking(j);
}

static void link_run(struct work *work)
{
	struct job *j = (struct job *)work;

	j->rc = link_files(j->sha256, j->dir_fd, &j->err);
}

static void link_after(struct work *work)
{
	struct job *j = (struct job *)work;

	end_link(find_or_add(j->sha256));
	j->done(j->rc < 0 ? &j->err : NULL, j->arg);
	job_free(&j);
}

void package_link(const char *sha256, int dir_fd, package_done_fn done, void *arg)
{
	struct job *j = job_new(sha256, done, arg);
	struct package *p = find_or_add(sha256);

	p->links++;
	use(p);
	j->dir_fd = dir_fd;
	j->work = (struct work){link_run, link_after, NULL, NULL};
	work_begin(WORK_LINK, &j->work);
}

/* ---- The cache ---- */

bool package_is_unpacked(const char *sha256)
{
	const struct package *p = find(sha256);
	struct stat st;

	if (!is_sha256(sha256) || fstatat(packages_fd, sha256, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return false;
	return (st.st_mode & 0777) != UNSAFE_MODE || (p != NULL && p->unsafe);
}

int64_t package_cached_bytes(void)
{
	return cached_bytes;
}

int package_init(uv_loop_t *loop, const struct conf *c, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/cache", c->master_state_dir);
	AUTO(mem_free) char *real = realpath(path, NULL); /* libarchive's symbolic link check looks at every part */
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (real == NULL || fd < 0)
		return err_set(err, errno, "open '%s'", path);
	work_init(loop);
	conf = c;
	setlocale(LC_CTYPE, "C.UTF-8"); /* or libarchive refuses names that are not ASCII */
	mem_free(&packages_path);
	fd_close(&packages_fd);
	packages_path = TAKE_PTR(real);
	packages_fd = TAKE_FD(fd);
	start_survey();
	return 0;
}

void package_set_conf(const struct conf *c)
{
	conf = c;
	make_room();
}
