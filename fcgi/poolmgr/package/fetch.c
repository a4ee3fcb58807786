#include "poolmgr/package/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/unpacking.h"

/*
 * Fetched archives wait in memory until they are unpacked, and lookups wait while one is being fetched. So both are limited;
 * further versions wait here.
 */
#define FETCHING_MAX      2
#define FETCHED_BYTES_MAX ((size_t)64 << 20)

/* A version whose package waits to be fetched or is being fetched. */
struct wanted {
	struct version *version; /* holds a reference */
	size_t bytes;            /* size of the archive, when it has arrived */
	struct wanted *prev, *next;
};

static struct fetch_hooks hooks;
static struct wanted *queue; /* links of the waiting ones */
static int fetching;
static size_t fetched_bytes;

static void fetch_more(void);

static void end(struct version *v, const struct err *err)
{
	if (err != NULL) {
		v->package = PACKAGE_UNKNOWN;
		log_error("%s: %s", v->key, err->msg);
		hooks.failed(v, err);
	} else {
		v->package = PACKAGE_READY;
		hooks.ready(v);
	}
}

/* arg holds a reference to the version. */
static void on_file_unpacked(const struct err *err, void *arg)
{
	AUTO(version_unref) struct version *v = arg;

	end(v, err);
}

static void on_unpacked(const struct err *err, void *arg)
{
	struct wanted *w = arg;

	fetched_bytes -= w->bytes;
	fetch_more();
	end(w->version, err);
	version_unref(&w->version);
	free(w);
}

static void on_fetched(const struct err *err, const char *data, size_t len, void *arg)
{
	struct wanted *w = arg;
	struct err missing;

	fetching--;
	if (err == NULL && data == NULL) {
		err_set(&missing, ENOENT, "the package %.16s… is not stored", w->version->spec->package_sha256);
		err = &missing;
	}
	if (err != NULL) {
		on_unpacked(err, w);
		return;
	}
	void *copy = mem_alloc(len);
	memcpy(copy, data, len);
	w->bytes = len;
	fetched_bytes += len;
	unpacking_begin(w->version->spec->package_sha256, copy, len, on_unpacked, w);
	fetch_more();
}

static void fetch_more(void)
{
	while (queue != NULL && fetching < FETCHING_MAX && fetched_bytes < FETCHED_BYTES_MAX) {
		struct wanted *w = queue;
		DL_DELETE(queue, w);
		fetching++;
		store_package(w->version->spec->package_sha256, on_fetched, w);
	}
}

void fetch_package(struct version *v)
{
	if (v->package != PACKAGE_UNKNOWN)
		return;
	if (cache_has(v->spec->package_sha256)) {
		v->package = PACKAGE_READY;
		return;
	}
	v->package = PACKAGE_COMING;
	struct wanted *w = mem_alloc(sizeof(*w));
	w->version = version_ref(v);
	DL_APPEND(queue, w);
	fetch_more();
}

/* Only memory files can be sealed, so reading it cannot block, and it cannot be changed any more. */
static int check_file(int fd, off_t max_bytes, off_t *len, struct err *err)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & needed) != needed)
		return err_set(err, EINVAL, "a package that is in no sealed memory file");
	if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > max_bytes)
		return err_set(err, EINVAL, "a package of %lld bytes", (long long)st.st_size);
	*len = st.st_size;
	return 0;
}

int fetch_from_file(struct version *v, int fd, off_t max_bytes, struct err *err)
{
	off_t len = 0;

	if (cache_has(v->spec->package_sha256)) {
		v->package = PACKAGE_READY;
		return 0;
	}
	if (check_file(fd, max_bytes, &len, err) < 0)
		return -1;
	int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own_fd < 0)
		return err_set(err, errno, "keep the package open");
	v->package = PACKAGE_COMING;
	unpacking_begin_file(v->spec->package_sha256, own_fd, (size_t)len, on_file_unpacked, version_ref(v));
	return 0;
}

void fetch_init(const struct fetch_hooks *h)
{
	hooks = *h;
}
