#include "poolmgr/package.h"

#include <archive.h>
#include <archive_entry.h>
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
#include "poolmgr/directory.h"
#include "poolmgr/tree.h"
#include "poolmgr/version.h"

#define SHA256_TEXT_LEN 64
#define TEMP_PREFIX     ".unpacking-"
#define REMOVE_PREFIX   ".removing-"
#define MAX_DEPTH       48 /* well below what tree.c links and removes */

static uv_loop_t *loop;
static const struct conf *conf;
static int packages_fd = -1;
static char *packages_path;

/* One that is unpacked on this node. Whoever uses one that is not listed yet lists it. */
struct package {
	char sha256[SHA256_TEXT_LEN + 1];
	int64_t bytes;
	int64_t used_us;      /* wall clock: the latest unpacking or linking */
	int links;            /* under way */
	struct package *next; /* survey's list */
	UT_hash_handle hh;
};

static struct package *packages;
static int64_t cached_bytes; /* of all packages */

/* A hash, and so a safe file name. */
static bool is_sha256(const char *text)
{
	return strlen(text) == SHA256_TEXT_LEN && strspn(text, "0123456789abcdef") == SHA256_TEXT_LEN;
}

/* ---- Unpacking: runs in a thread ---- */

/* The thread's own copy: the configuration may be replaced meanwhile. */
struct limits {
	int64_t bytes, files;
};

static void reader_free(struct archive **a)
{
	if (*a != NULL)
		archive_read_free(*a);
}

static void writer_free(struct archive **a)
{
	if (*a != NULL)
		archive_write_free(*a);
}

static int archive_err(struct err *err, struct archive *a, const char *what)
{
	const char *why = archive_error_string(a) ? archive_error_string(a) : "unknown error";

	/* libarchive says that writing failed, and not why, when the disk is full. */
	if (archive_errno(a) == ENOSPC && strstr(why, strerror(ENOSPC)) == NULL)
		return err_set(err, ENOSPC, "package: %s: %s", what, why);
	return err_set(err, 0, "package: %s: %s", what, why);
}

static int depth_of(const char *path)
{
	int depth = 0;

	for (; *path != '\0'; path++)
		depth += *path == '/';
	return depth;
}

/* Files, directories and symbolic links, by relative paths; no device, no hard link out of the package. */
static int check_entry(struct archive_entry *e, struct err *err)
{
	const char *path = archive_entry_pathname(e);
	mode_t type = archive_entry_filetype(e);

	if (path == NULL || path[0] == '/' || path[0] == '\0')
		return err_set(err, EINVAL, "package: '%.100s' is no relative path", path ? path : "");
	if (depth_of(path) > MAX_DEPTH)
		return err_set(err, EINVAL, "package: '%.100s…' is deeper than %d directories", path, MAX_DEPTH);
	if (archive_entry_hardlink(e) != NULL || (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
		return err_set(err, EINVAL, "package: '%.100s' is neither a file, a directory nor a symbolic link", path);
	return 0;
}

static int too_large(const struct limits *max, struct err *err)
{
	return err_set(err, EFBIG, "package: more than %lld bytes when unpacked", (long long)max->bytes);
}

static int copy_data(struct archive *in, struct archive *out, const struct limits *max, struct limits *left, struct err *err)
{
	const void *block;
	size_t len;
	la_int64_t offset;
	int rc;

	while ((rc = archive_read_data_block(in, &block, &len, &offset)) == ARCHIVE_OK) {
		left->bytes -= (int64_t)len;
		if (left->bytes < 0 || offset > max->bytes)
			return too_large(max, err);
		if (archive_write_data_block(out, block, len, offset) != ARCHIVE_OK)
			return archive_err(err, out, "write");
	}
	return rc == ARCHIVE_EOF ? 0 : archive_err(err, in, "read");
}

static int unpack_entry(struct archive *in, struct archive *out, struct archive_entry *e, const char *below,
			const struct limits *max, struct limits *left, struct err *err)
{
	if (check_entry(e, err) < 0)
		return -1;
	if (--left->files < 0)
		return err_set(err, EFBIG, "package: more than %lld files", (long long)max->files);
	if (archive_entry_size(e) > left->bytes) /* the size of a sparse file, too, which need not have as many bytes */
		return too_large(max, err);

	AUTO(mem_free) char *path = mem_printf("%s/%s", below, archive_entry_pathname(e));
	bool executable = archive_entry_filetype(e) == AE_IFDIR || (archive_entry_perm(e) & 0111) != 0;
	archive_entry_set_pathname(e, path);
	archive_entry_set_perm(e, archive_entry_filetype(e) == AE_IFDIR ? 0755 : executable ? 0555 : 0444);
	if (archive_write_header(out, e) != ARCHIVE_OK)
		return archive_err(err, out, "make file");
	if (archive_entry_filetype(e) == AE_IFREG && copy_data(in, out, max, left, err) < 0)
		return -1;
	return archive_write_finish_entry(out) == ARCHIVE_OK ? 0 : archive_err(err, out, "finish file");
}

static int unpack_into(const char *below, const void *data, size_t len, const struct limits *max, struct err *err)
{
	AUTO(reader_free) struct archive *in = archive_read_new();
	AUTO(writer_free) struct archive *out = archive_write_disk_new();
	struct limits left = *max;
	struct archive_entry *e;
	int rc;

	archive_read_support_format_tar(in);
	archive_read_support_format_zip(in);
	archive_read_support_filter_gzip(in);
	archive_write_disk_set_options(out, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
						    ARCHIVE_EXTRACT_SECURE_NODOTDOT);
	if (archive_read_open_memory(in, data, len) != ARCHIVE_OK)
		return archive_err(err, in, "neither tar, tar.gz nor zip");
	while ((rc = archive_read_next_header(in, &e)) == ARCHIVE_OK)
		if (unpack_entry(in, out, e, below, max, &left, err) < 0)
			return -1;
	if (rc != ARCHIVE_EOF)
		return archive_err(err, in, "read");
	return archive_write_close(out) == ARCHIVE_OK ? 0 : archive_err(err, out, "close");
}

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
static void remove_temp(const char *temp)
{
	struct err err;

	if (tree_remove(packages_fd, temp, &err) < 0)
		log_warn("package cache: '%s' stays: %s", temp, err.msg);
}

/* Another poolmgr makes names here, too. */
static char *name_new(const char *prefix)
{
	return mem_printf("%s%08x%08x", prefix, randombytes_random(), randombytes_random());
}

static int unpack(const char *sha256, const void *data, size_t len, const struct limits *max, struct err *err)
{
	AUTO(mem_free) char *temp = name_new(TEMP_PREFIX);
	AUTO(mem_free) char *below = mem_printf("%s/%s", packages_path, temp);

	if (check_hash(sha256, data, len, err) < 0)
		return -1;
	AUTO(fd_close) int owned = tree_make_owned(packages_fd, temp, err);
	if (owned < 0)
		return err_prefix(err, "package: %s", packages_path);
	if (unpack_into(below, data, len, max, err) < 0) {
		remove_temp(temp);
		return -1;
	}
	if (syncfs(packages_fd) < 0) { /* what the name stands for is never looked at again */
		err_set(err, errno, "package: write '%s' to the disk", below);
		remove_temp(temp);
		return -1;
	}
	if (renameat(packages_fd, temp, packages_fd, sha256) < 0) {
		int rename_errno = errno;
		remove_temp(temp);
		if (!package_is_unpacked(sha256)) /* else somebody was faster */
			return err_set(err, rename_errno, "package: rename '%s'", below);
	}
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
	uv_work_t work;
	struct package *found; /* a list by next; owned */
};

static void survey_one(int dir_fd, const char *name, void *arg)
{
	struct survey *s = arg;
	struct stat st;

	if (!is_sha256(name) || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	struct package *p = mem_alloc(sizeof(*p));
	snprintf(p->sha256, sizeof(p->sha256), "%s", name);
	p->bytes = tree_bytes(dir_fd, name);
	p->used_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	LL_PREPEND(s->found, p);
}

static void survey_run(uv_work_t *work)
{
	struct err err;

	if (tree_each(packages_fd, survey_one, work->data, &err) < 0)
		log_error("package cache: %s", err.msg);
}

/* ---- What is in the cache, and what has to go: on the loop ---- */

struct removal {
	uv_work_t work;
	char *name; /* owned */
};

static void removal_free(struct removal **r)
{
	mem_free(&(*r)->name);
	mem_free(r);
}

static void removal_run(uv_work_t *work)
{
	struct removal *r = work->data;

	remove_temp(r->name);
}

static void removal_after(uv_work_t *work, int status)
{
	struct removal *r = work->data;

	(void)status;
	removal_free(&r);
}

static struct package *find_or_add(const char *sha256)
{
	struct package *p;

	HASH_FIND_STR(packages, sha256, p);
	if (p != NULL)
		return p;
	p = mem_alloc(sizeof(*p));
	snprintf(p->sha256, sizeof(p->sha256), "%s", sha256);
	HASH_ADD_STR(packages, sha256, p);
	return p;
}

static void forget(struct package *p)
{
	cached_bytes -= p->bytes;
	HASH_DEL(packages, p);
	free(p);
}

static void end_link(struct package *p)
{
	if (--p->links == 0 && p->bytes == 0) /* it is not there, or the survey is still to find it */
		forget(p);
}

static void note(const char *sha256, int64_t bytes, int64_t used_us)
{
	struct package *p = find_or_add(sha256);

	cached_bytes += bytes - p->bytes;
	p->bytes = bytes;
	p->used_us = MAX(p->used_us, used_us);
}

/* Renamed at once, so that from now on it has to be unpacked anew; its files take their time. */
static void evict(struct package *p)
{
	struct removal *r = mem_alloc(sizeof(*r));

	r->name = name_new(REMOVE_PREFIX);
	r->work.data = r;
	if (renameat(packages_fd, p->sha256, packages_fd, r->name) == 0) {
		log_debug("package cache: %.16s… goes, %lld bytes", p->sha256, (long long)p->bytes);
		uv_queue_work(loop, &r->work, removal_run, removal_after);
	} else {
		if (errno != ENOENT) /* else somebody cleared the cache */
			log_error("package cache: rename %.16s…: %s", p->sha256, strerror(errno));
		removal_free(&r);
	}
	forget(p);
}

static int longest_unused_first(const struct package *a, const struct package *b)
{
	return (a->used_us > b->used_us) - (a->used_us < b->used_us);
}

static void make_room(void)
{
	struct package *p, *next;
	int64_t most = conf->pool_package_cache_mb << 20;

	if (cached_bytes <= most)
		return;
	HASH_SORT(packages, longest_unused_first);
	HASH_ITER (hh, packages, p, next) {
		if (cached_bytes <= most)
			return;
		if (p->links == 0 && !version_uses_package(p->sha256))
			evict(p);
	}
}

static void survey_after(uv_work_t *work, int status)
{
	struct survey *s = work->data;
	struct package *p, *next;

	(void)status;
	LL_FOREACH_SAFE (s->found, p, next) {
		note(p->sha256, p->bytes, p->used_us);
		free(p);
	}
	free(s);
	make_room();
}

static void start_survey(void)
{
	struct survey *s = mem_alloc(sizeof(*s));
	struct package *p, *next;

	HASH_ITER (hh, packages, p, next)
		forget(p);
	s->work.data = s;
	uv_queue_work(loop, &s->work, survey_run, survey_after);
}

/* ---- Jobs: from the loop to a thread and back ---- */

struct job {
	uv_work_t work;
	char sha256[SHA256_TEXT_LEN + 1];
	void *archive; /* owned; NULL: link into dir_fd */
	size_t archive_len;
	struct limits max;
	int64_t bytes; /* what it takes on the disk, once unpacked */
	int dir_fd;
	int rc;
	struct err err;
	package_done_fn done;
	void *arg;
};

static void run(uv_work_t *work)
{
	struct job *j = work->data;

	if (j->archive == NULL) {
		j->rc = link_files(j->sha256, j->dir_fd, &j->err);
		return;
	}
	j->rc = unpack(j->sha256, j->archive, j->archive_len, &j->max, &j->err);
	if (j->rc == 0)
		j->bytes = tree_bytes(packages_fd, j->sha256);
}

static void after(uv_work_t *work, int status)
{
	struct job *j = work->data;

	(void)status; /* jobs are never cancelled */
	bool unpacked = j->archive != NULL && j->rc == 0;
	if (unpacked)
		note(j->sha256, j->bytes, clock_wall_us());
	if (j->archive == NULL)
		end_link(find_or_add(j->sha256));
	j->done(j->rc < 0 ? &j->err : NULL, j->arg);
	free(j->archive);
	free(j);
	if (unpacked)
		make_room();
}

static struct job *job_new(const char *sha256, package_done_fn done, void *arg)
{
	struct job *j = mem_alloc(sizeof(*j));

	snprintf(j->sha256, sizeof(j->sha256), "%s", sha256);
	j->work.data = j;
	j->done = done;
	j->arg = arg;
	return j;
}

void package_unpack(const char *sha256, void *archive, size_t archive_len, package_done_fn done, void *arg)
{
	struct job *j = job_new(sha256, done, arg);

	j->archive = archive;
	j->archive_len = archive_len;
	j->max = (struct limits){conf->limits_package_unpacked_bytes, conf->limits_package_files};
	uv_queue_work(loop, &j->work, run, after);
}

void package_link(const char *sha256, int dir_fd, package_done_fn done, void *arg)
{
	struct job *j = job_new(sha256, done, arg);

	j->dir_fd = dir_fd;
	struct package *p = find_or_add(sha256);
	p->links++;
	p->used_us = clock_wall_us();
	uv_queue_work(loop, &j->work, run, after);
}

/* ---- The cache ---- */

bool package_is_unpacked(const char *sha256)
{
	struct stat st;

	return is_sha256(sha256) && fstatat(packages_fd, sha256, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* What another poolmgr unpacks just now is none. */
static void remove_leftover(int dir_fd, const char *name, void *arg)
{
	(void)arg;
	if ((strncmp(name, TEMP_PREFIX, strlen(TEMP_PREFIX)) == 0 && !tree_is_owned(dir_fd, name)) ||
	    strncmp(name, REMOVE_PREFIX, strlen(REMOVE_PREFIX)) == 0)
		tree_remove(dir_fd, name, NULL);
}

int package_init(uv_loop_t *l, const struct conf *c, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/packages", c->master_state_dir);
	AUTO(mem_free) char *real = realpath(path, NULL); /* libarchive's symbolic link check looks at every part */
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (real == NULL || fd < 0)
		return err_set(err, errno, "open '%s'", path);
	loop = l;
	conf = c;
	setlocale(LC_CTYPE, "C.UTF-8"); /* or libarchive refuses names that are not ASCII */
	mem_free(&packages_path);
	fd_close(&packages_fd);
	packages_path = TAKE_PTR(real);
	packages_fd = TAKE_FD(fd);
	if (tree_each(packages_fd, remove_leftover, NULL, err) < 0)
		return -1;
	start_survey();
	return 0;
}

void package_set_conf(const struct conf *c)
{
	conf = c;
	make_room();
}
