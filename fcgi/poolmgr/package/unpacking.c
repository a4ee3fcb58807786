#include "poolmgr/package/unpacking.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/tree.h"
#include "poolmgr/node/work.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/sync.h"
#include "poolmgr/package/unpack.h"

/* Packages up to this size are unpacked in other threads than larger ones and do not wait for these. */
#define SMALL_ARCHIVE_BYTES  (INT64_C(1) << 20)
#define SMALL_UNPACKED_BYTES (INT64_C(16) << 20)
#define SMALL_FILES          2000

static const struct conf *conf;

/* ---- In a thread ---- */

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

/* Unpacks into temp, which is ours as long as *owned_fd is open. */
static int unpack(const char *sha256, const char *temp, const void *data, size_t len, const struct unpack_limits *max,
		  int *owned_fd, struct err *err)
{
	AUTO(mem_free) char *below = mem_printf("%s/%s", cache_files_path(), temp);

	if (check_hash(sha256, data, len, err) < 0)
		return -1;
	AUTO(fd_close) int owned = tree_make_owned(cache_files_fd(), temp, err);
	if (owned < 0)
		return err_prefix(err, "package: %s", cache_files_path());
	if (unpack_into(below, data, len, max, err) < 0) {
		cache_files_remove(temp);
		return -1;
	}
	if (fchmod(owned, CACHE_UNSAFE_MODE) < 0) {
		err_set(err, errno, "package: change the mode of '%s'", below);
		cache_files_remove(temp);
		return -1;
	}
	*owned_fd = TAKE_FD(owned);
	return 0;
}

/* ---- From the loop to a thread and back ---- */

struct job {
	struct work work;
	char sha256[SHA256_TEXT_LEN + 1];
	void *archive;  /* owned; NULL: the archive is in archive_fd */
	int archive_fd; /* owned; -1: none */
	size_t archive_len;
	enum work_kind kind;
	struct unpack_limits max; /* a copy, because the configuration may be replaced meanwhile */
	struct unpack_limits all; /* limits of a package */
	char *temp;               /* owned; the name under which it is unpacked */
	int owned_fd;             /* -1: it is not unpacked */
	int64_t bytes;            /* its disk space */
	int rc;
	struct err err;
	unpacking_fn done;
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

static struct job *job_new(const char *sha256, unpacking_fn done, void *arg)
{
	struct job *j = mem_alloc(sizeof(*j));

	snprintf(j->sha256, sizeof(j->sha256), "%s", sha256);
	j->archive_fd = j->owned_fd = -1;
	j->done = done;
	j->arg = arg;
	return j;
}

/* Read instead of mapped, because the sender may shorten the file. */
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
		j->bytes = tree_bytes(cache_files_fd(), j->temp);
	if (j->archive_fd >= 0)
		mem_free(&j->archive);
}

/* Gives the package its name. If it exists already, that one is used, unless only another process could vouch for it. */
static int publish(struct job *j)
{
	if (!cache_has(j->sha256)) {
		cache_files_put_away(j->sha256); /* left by an earlier process */
		if (renameat(cache_files_fd(), j->temp, cache_files_fd(), j->sha256) < 0) {
			err_set(&j->err, errno, "package: rename '%s'", j->temp);
			cache_files_remove_later(TAKE_PTR(j->temp));
			return -1;
		}
		struct package *p = cache_find_or_add(j->sha256);
		cache_set_bytes(p, j->bytes);
		sync_package(p);
	} else {
		cache_files_remove_later(TAKE_PTR(j->temp));
	}
	cache_use(cache_find_or_add(j->sha256));
	return 0;
}

/* It was expected to be small. */
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
	cache_make_room();
}

static void begin(struct job *j)
{
	bool small = (int64_t)j->archive_len <= SMALL_ARCHIVE_BYTES;

	j->all = (struct unpack_limits){conf->limits_package_unpacked_bytes, conf->limits_package_files};
	j->max = small ? (struct unpack_limits){MIN(j->all.bytes, SMALL_UNPACKED_BYTES), MIN(j->all.files, SMALL_FILES)}
		       : j->all;
	j->kind = small ? WORK_UNPACK : WORK_UNPACK_LARGE;
	j->temp = cache_files_name_new(CACHE_TEMP_PREFIX);
	j->work = (struct work){unpack_run, unpack_after, NULL, NULL};
	work_begin(j->kind, &j->work);
}

void unpacking_begin(const char *sha256, void *archive, size_t archive_len, unpacking_fn done, void *arg)
{
	struct job *j = job_new(sha256, done, arg);

	j->archive = archive;
	j->archive_len = archive_len;
	begin(j);
}

void unpacking_begin_file(const char *sha256, int fd, size_t archive_len, unpacking_fn done, void *arg)
{
	struct job *j = job_new(sha256, done, arg);

	j->archive_fd = fd;
	j->archive_len = archive_len;
	begin(j);
}

void unpacking_set_conf(const struct conf *c)
{
	conf = c;
}
