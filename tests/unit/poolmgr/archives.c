#include "tests/unit/poolmgr/archives.h"

#include "tests/unit/unit.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static la_ssize_t on_bytes(struct archive *a, void *out, const void *data, size_t len)
{
	(void)a;
	buf_add(out, data, len);
	return (la_ssize_t)len;
}

static void add_member(struct archive *a, const struct archive_member *m)
{
	struct archive_entry *e = archive_entry_new();
	mode_t type = m->type ? m->type : S_IFREG;
	size_t len = type == S_IFREG && m->content != NULL ? strlen(m->content) : 0;

	archive_entry_set_pathname(e, m->path);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, m->perm ? m->perm : 0644);
	archive_entry_set_size(e, (la_int64_t)len);
	if (type == S_IFLNK)
		archive_entry_set_symlink(e, m->content);
	if (m->hard_link_to != NULL)
		archive_entry_set_hardlink(e, m->hard_link_to);
	if (type == S_IFCHR)
		archive_entry_set_rdev(e, makedev(1, 3));
	if (archive_write_header(a, e) != ARCHIVE_OK)
		fail_msg("%s: %s", m->path, archive_error_string(a));
	if (len > 0)
		assert_int_equal(archive_write_data(a, m->content, len), len);
	archive_entry_free(e);
}

void archive_make(enum archive_kind kind, const struct archive_member *members, size_t count, struct buf *out)
{
	struct archive *a = archive_write_new();
	/* Names are written in UTF-8; what the code under test makes of the locale is its own business. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = uselocale(utf8);

	if (kind == ARCHIVE_IS_ZIP)
		archive_write_set_format_zip(a);
	else
		archive_write_set_format_pax_restricted(a);
	if (kind == ARCHIVE_IS_TAR_GZ) {
		archive_write_add_filter_gzip(a);
		archive_write_set_filter_option(a, "gzip", "timestamp", NULL); /* the same members are the same archive */
	}
	archive_write_set_bytes_per_block(a, 512);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open(a, out, NULL, on_bytes, NULL), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++)
		add_member(a, &members[i]);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	uselocale(before);
	freelocale(utf8);
}

void archive_make_one(const char *text, struct buf *out)
{
	const struct archive_member member = {.path = "main.x", .content = text};

	archive_make(ARCHIVE_IS_TAR_GZ, &member, 1, out);
}

void archive_hash(const struct buf *archive, char out[SHA256_TEXT_SIZE])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)archive->data, archive->len);
	sodium_bin2hex(out, SHA256_TEXT_SIZE, hash, sizeof(hash));
}
