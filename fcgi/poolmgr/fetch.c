#include "poolmgr/fetch.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/keep.h"
#include "poolmgr/obstacle.h"
#include "poolmgr/package.h"
#include "poolmgr/serve.h"
#include "poolmgr/store.h"
#include "poolmgr/supply.h"
#include "poolmgr/version.h"
#include "poolmgr/waiter.h"

static void failed(struct version *v, const struct err *err)
{
	const char *code = err->code == ENOTCONN ? "store_unavailable" : "runtime_unavailable";

	v->package = PACKAGE_UNKNOWN;
	log_error("%s: %s", v->key, err->msg);
	waiter_deny_all(v, code, err->msg, obstacle_retry_after_ms(v));
	keep_failed(v, err->msg);
}

/* arg is a reference to the version. */
static void on_unpacked(const struct err *err, void *arg)
{
	AUTO(version_unref) struct version *v = arg;

	if (err != NULL) {
		failed(v, err);
		return;
	}
	v->package = PACKAGE_READY;
	serve_queue(v);
	supply_now();
}

static void on_fetched(const struct err *err, const char *data, size_t len, void *arg)
{
	struct version *v = arg;
	struct err missing;

	if (err == NULL && data == NULL) {
		err_set(&missing, ENOENT, "the package %.16s… is not stored", v->spec->package_sha256);
		err = &missing;
	}
	if (err != NULL) {
		failed(v, err);
		version_unref(&v);
		return;
	}
	void *copy = mem_alloc(len);
	memcpy(copy, data, len);
	package_unpack(v->spec->package_sha256, copy, len, on_unpacked, v);
}

void fetch_package(struct version *v)
{
	if (v->package != PACKAGE_UNKNOWN)
		return;
	if (package_is_unpacked(v->spec->package_sha256)) {
		v->package = PACKAGE_READY;
		return;
	}
	v->package = PACKAGE_COMING;
	store_package(v->spec->package_sha256, on_fetched, version_ref(v));
}

/* The whole of a memfd, malloc'ed. */
static int read_file(int fd, off_t max_bytes, void **data, size_t *len, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > max_bytes)
		return err_set(err, EINVAL, "a package of %lld bytes", (long long)st.st_size);
	AUTO(mem_free) char *bytes = mem_alloc((size_t)st.st_size);
	for (off_t have = 0; have < st.st_size;) { /* not mapped: who sent it may still make it shorter */
		ssize_t n = pread(fd, bytes + have, (size_t)(st.st_size - have), have);
		if (n <= 0)
			return err_set(err, n < 0 ? errno : EINVAL, "read the package");
		have += n;
	}
	*len = (size_t)st.st_size;
	*data = TAKE_PTR(bytes);
	return 0;
}

int fetch_from_file(struct version *v, int fd, off_t max_bytes, struct err *err)
{
	void *archive = NULL;
	size_t len = 0;

	if (package_is_unpacked(v->spec->package_sha256)) {
		v->package = PACKAGE_READY;
		return 0;
	}
	if (read_file(fd, max_bytes, &archive, &len, err) < 0)
		return -1;
	v->package = PACKAGE_COMING;
	package_unpack(v->spec->package_sha256, archive, len, on_unpacked, version_ref(v));
	return 0;
}
