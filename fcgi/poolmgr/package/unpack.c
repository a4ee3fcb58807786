#include "poolmgr/package/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

#define MAX_DEPTH 48 /* well below the depth that node/tree.c can link and remove */

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

	/* When the disk is full, libarchive reports that writing failed, but not why. */
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

/*
 * Allowed are files, directories and symbolic links with relative paths, but no devices and no hard links that leave the
 * package.
 */
static int check_entry(struct archive_entry *e, struct err *err)
{
	const char *path = archive_entry_pathname(e);
	mode_t type = archive_entry_filetype(e);

	if (path == NULL || path[0] == '/' || path[0] == '\0')
		return err_set(err, EINVAL, "package: '%.100s' is not a relative path", path ? path : "");
	if (depth_of(path) > MAX_DEPTH)
		return err_set(err, EINVAL, "package: '%.100s…' is deeper than %d directories", path, MAX_DEPTH);
	if (archive_entry_hardlink(e) != NULL || (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
		return err_set(err, EINVAL, "package: '%.100s' is neither a file, a directory nor a symbolic link", path);
	return 0;
}

static int too_large(const struct unpack_limits *max, struct err *err)
{
	return err_set(err, EFBIG, "package: more than %lld bytes when unpacked", (long long)max->bytes);
}

static int copy_data(struct archive *in, struct archive *out, const struct unpack_limits *max, struct unpack_limits *left,
		     struct err *err)
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
			const struct unpack_limits *max, struct unpack_limits *left, struct err *err)
{
	if (check_entry(e, err) < 0)
		return -1;
	if (--left->files < 0)
		return err_set(err, EFBIG, "package: more than %lld files", (long long)max->files);
	if (archive_entry_size(e) > left->bytes) /* counts the full size of a sparse file, even if it has fewer bytes */
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

int unpack_into(const char *below, const void *data, size_t len, const struct unpack_limits *max, struct err *err)
{
	AUTO(reader_free) struct archive *in = archive_read_new();
	AUTO(writer_free) struct archive *out = archive_write_disk_new();
	struct unpack_limits left = *max;
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
