#include "control/functions/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static void free_archive(struct archive **a)
{
	archive_write_free(*a);
}

static void free_entry(struct archive_entry **e)
{
	archive_entry_free(*e);
}

static la_ssize_t add_block(struct archive *a, void *to, const void *data, size_t len)
{
	(void)a;
	buf_add(to, data, len);
	return (la_ssize_t)len;
}

/*
 * Without times and owners, because the archive must not depend on when and where it was made. The format is ustar, with an
 * extension only for a name that does not fit into it.
 */
static int write_archive(struct archive *a, struct archive_entry *entry, const char *file_name, const char *code, size_t len,
			 struct buf *out)
{
	archive_entry_set_pathname(entry, file_name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0444);
	archive_entry_set_size(entry, (la_int64_t)len);
	archive_entry_set_mtime(entry, 0, 0);
	archive_write_set_bytes_in_last_block(a, 1);
	if (archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
	    archive_write_open(a, out, NULL, add_block, NULL) != ARCHIVE_OK)
		return -1;
	if (archive_write_header(a, entry) != ARCHIVE_OK || archive_write_data(a, code, len) != (la_ssize_t)len)
		return -1;
	return archive_write_close(a) == ARCHIVE_OK ? 0 : -1;
}

char *pack_file_name_new(const char *handler, const char *source_file)
{
	const char *slash = strrchr(handler, '/'), *function = strchr(slash != NULL ? slash : handler, '.');

	return mem_printf("%.*s%s", (int)(function - handler), handler, strrchr(source_file, '.'));
}

int pack_build(const char *file_name, const char *code, size_t len, struct pack *package, struct err *err)
{
	AUTO(free_archive) struct archive *a = archive_write_new();
	AUTO(free_entry) struct archive_entry *entry = archive_entry_new();
	AUTO(buf_free) struct buf out = {0};
	unsigned char hash[crypto_hash_sha256_BYTES];

	if (a == NULL || entry == NULL)
		return err_set(err, ENOMEM, "package");
	if (write_archive(a, entry, file_name, code, len, &out) < 0)
		return err_set(err, EIO, "package: %s", archive_error_string(a));

	crypto_hash_sha256(hash, (const unsigned char *)out.data, out.len);
	sodium_bin2hex(package->sha256, sizeof(package->sha256), hash, sizeof(hash));
	package->len = out.len;
	package->archive = TAKE_PTR(out.data);
	return 0;
}

void pack_free(struct pack *package)
{
	mem_free(&package->archive);
}
