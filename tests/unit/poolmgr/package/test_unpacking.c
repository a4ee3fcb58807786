/* From archives to packages: what is accepted, and what is refused. */
#include "tests/unit/poolmgr/package/package_rig.h"

#include <sys/stat.h>

#include "base/mem.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/unpacking.h"

/* The archive is refused with these words, and leaves nothing. */
static void assert_refused(enum archive_kind kind, const struct archive_member *members, size_t count, const char *words)
{
	char sha256[SHA256_TEXT_SIZE];
	int before = rig_count_names("cache");
	struct outcome o = unpack_members(kind, members, count, sha256);

	assert_true(o.failed);
	if (strstr(o.err.msg, words) == NULL)
		fail_msg("'%s' does not say '%s'", o.err.msg, words);
	assert_false(cache_has(sha256));
	assert_int_equal(rig_count_names("cache"), before);
}

static void files_directories_and_links_are_unpacked(enum archive_kind kind, const char *marker)
{
	const struct archive_member members[] = {
		{.path = "main.x", .content = marker},
		{.path = "run.sh", .perm = 0700, .content = "#!/bin/sh\n"},
		{.path = "secret", .perm = 04600, .content = "s"},
		{.path = "lib", .type = S_IFDIR, .perm = 0700},
		{.path = "lib/deep/er/mod.x", .content = "mod"},
		{.path = "link.x", .type = S_IFLNK, .content = "lib/deep/er/mod.x"},
		{.path = "empty"},
	};
	char sha256[SHA256_TEXT_SIZE];
	mode_t mask = umask(077);
	struct outcome o = unpack_members(kind, members, ARRAY_SIZE(members), sha256);

	umask(mask);
	if (o.failed)
		fail_msg("%s", o.err.msg);
	assert_true(cache_has(sha256));
	assert_file(sha256, "main.x", marker, 0444);
	assert_file(sha256, "run.sh", "#!/bin/sh\n", 0555);
	assert_file(sha256, "secret", "s", 0444);
	assert_file(sha256, "lib/deep/er/mod.x", "mod", 0444);
	assert_file(sha256, "link.x", "mod", 0444);
	assert_file(sha256, "empty", "", 0444);

	struct stat st;
	AUTO(mem_free) char *lib = mem_printf("%s/cache/%s/lib", rig.dir, sha256);
	assert_int_equal(stat(lib, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void a_tar_gz_is_unpacked_read_only_whatever_the_umask(void **state)
{
	(void)state;
	files_directories_and_links_are_unpacked(ARCHIVE_IS_TAR_GZ, "tar.gz");
}

static void a_zip_is_unpacked_read_only_whatever_the_umask(void **state)
{
	(void)state;
	files_directories_and_links_are_unpacked(ARCHIVE_IS_ZIP, "zip");
}

static void a_plain_tar_is_unpacked_read_only_whatever_the_umask(void **state)
{
	(void)state;
	files_directories_and_links_are_unpacked(ARCHIVE_IS_TAR, "tar");
}

static void names_need_not_be_ascii(void **state)
{
	const struct archive_member members[] = {{.path = "grüße.x", .content = "1"}, {.path = "日本/語.x", .content = "2"}};
	char sha256[SHA256_TEXT_SIZE];
	struct outcome o;

	(void)state;
	for (enum archive_kind kind = ARCHIVE_IS_TAR; kind <= ARCHIVE_IS_ZIP; kind++) {
		o = unpack_members(kind, members, ARRAY_SIZE(members), sha256);
		if (o.failed)
			fail_msg("%s", o.err.msg);
		assert_file(sha256, "grüße.x", "1", 0444);
		assert_file(sha256, "日本/語.x", "2", 0444);
	}
}

static void a_member_for_the_directory_itself_is_fine(void **state)
{
	const struct archive_member members[] = {{.path = "./", .type = S_IFDIR, .perm = 0700},
						 {.path = "./main.x", .content = "dot"}};
	char sha256[SHA256_TEXT_SIZE];

	(void)state;
	struct outcome o = unpack_members(ARCHIVE_IS_TAR_GZ, members, ARRAY_SIZE(members), sha256);
	if (o.failed)
		fail_msg("%s", o.err.msg);
	assert_file(sha256, "main.x", "dot", 0444);
}

static void a_package_that_is_there_already_stays(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "twice"};
	char sha256[SHA256_TEXT_SIZE];
	struct stat first, second;

	(void)state;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	AUTO(mem_free) char *path = mem_printf("%s/cache/%s/main.x", rig.dir, sha256);
	assert_int_equal(stat(path, &first), 0);
	int before = rig_count_names("cache");
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	assert_int_equal(stat(path, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	WAIT_FOR(rig_count_names("cache") == before);
}

static void the_same_package_may_be_unpacked_twice_at_once(void **state)
{
	AUTO(buf_free) struct buf archive = {0};
	char sha256[SHA256_TEXT_SIZE];
	struct outcome outcomes[4] = {0};

	(void)state;
	archive_make_one("at once", &archive);
	archive_hash(&archive, sha256);
	int before = rig_count_names("cache");
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		void *copy = mem_alloc(archive.len);
		memcpy(copy, archive.data, archive.len);
		unpacking_begin(sha256, copy, archive.len, package_done, &outcomes[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		WAIT_FOR(outcomes[i].done);
		assert_false(outcomes[i].failed);
	}
	assert_file(sha256, "main.x", "at once", 0444);
	WAIT_FOR(rig_count_names("cache") == before + 1);
}

static void an_archive_with_another_hash_is_refused(void **state)
{
	AUTO(buf_free) struct buf archive = {0};
	const char *wrong = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	(void)state;
	archive_make_one("hash", &archive);
	int before = rig_count_names("cache");
	struct outcome o = unpack(wrong, &archive);
	assert_true(o.failed);
	assert_non_null(strstr(o.err.msg, "its SHA-256 is"));
	assert_false(cache_has(wrong));
	assert_int_equal(rig_count_names("cache"), before);
}

static void what_is_no_archive_is_refused(void **state)
{
	AUTO(buf_free) struct buf garbage = {0};
	char sha256[SHA256_TEXT_SIZE];

	(void)state;
	for (int i = 0; i < 4000; i++)
		buf_add_u8(&garbage, (uint8_t)(i * 7 + i / 256));
	archive_hash(&garbage, sha256);
	struct outcome o = unpack(sha256, &garbage);
	assert_true(o.failed);
	assert_false(cache_has(sha256));
}

static void an_archive_that_ends_early_is_refused(void **state)
{
	AUTO(buf_free) struct buf archive = {0};
	AUTO(buf_free) struct buf text = {0};
	char sha256[SHA256_TEXT_SIZE];

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "%d,", i * i);
	const struct archive_member members[] = {{.path = "a", .content = buf_str(&text)},
						 {.path = "b", .content = buf_str(&text)}};
	archive_make(ARCHIVE_IS_TAR, members, ARRAY_SIZE(members), &archive);
	archive.len = archive.len / 2;
	archive_hash(&archive, sha256);
	int before = rig_count_names("cache");
	struct outcome o = unpack(sha256, &archive);
	assert_true(o.failed);
	assert_false(cache_has(sha256));
	assert_int_equal(rig_count_names("cache"), before);
}

static void paths_that_lead_outside_are_refused(void **state)
{
	static const char *const paths[] = {"../escaped", "lib/../../escaped", "..", "lib/..", "/tmp/berth-unit-escaped"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct archive_member members[] = {{.path = "main.x", .content = "1"},
							 {.path = paths[i], .content = "x"}};
		assert_refused(ARCHIVE_IS_TAR_GZ, members, ARRAY_SIZE(members), "package: ");
		assert_refused(ARCHIVE_IS_ZIP, members, ARRAY_SIZE(members), "package: ");
	}
	assert_false(rig_exists("cache/escaped"));
	assert_false(rig_exists("escaped"));
	assert_int_not_equal(access("/tmp/berth-unit-escaped", F_OK), 0);
}

static void writing_through_a_symbolic_link_of_the_package_is_refused(void **state)
{
	const struct archive_member members[] = {
		{.path = "out", .type = S_IFLNK, .content = "../.."},
		{.path = "out/escaped", .content = "x"},
	};
	const struct archive_member absolute[] = {
		{.path = "out", .type = S_IFLNK, .content = rig.dir},
		{.path = "out/sub/escaped", .content = "x"},
	};

	(void)state;
	assert_refused(ARCHIVE_IS_TAR_GZ, members, ARRAY_SIZE(members), "symlink");
	assert_refused(ARCHIVE_IS_ZIP, members, ARRAY_SIZE(members), "symlink");
	assert_refused(ARCHIVE_IS_TAR_GZ, absolute, ARRAY_SIZE(absolute), "symlink");
	assert_false(rig_exists("escaped"));
	assert_false(rig_exists("sub"));
}

static void devices_pipes_and_hard_links_are_refused(void **state)
{
	const struct archive_member device = {.path = "null", .type = S_IFCHR, .perm = 0666};
	const struct archive_member pipe_member = {.path = "pipe", .type = S_IFIFO};
	const struct archive_member links[] = {
		{.path = "main.x", .content = "1"},
		{.path = "copy.x", .hard_link_to = "main.x"},
	};
	const struct archive_member outside = {.path = "passwd", .hard_link_to = "/etc/passwd"};

	(void)state;
	assert_refused(ARCHIVE_IS_TAR_GZ, &device, 1, "'null' is neither a file");
	assert_refused(ARCHIVE_IS_TAR_GZ, &pipe_member, 1, "'pipe' is neither a file");
	assert_refused(ARCHIVE_IS_TAR_GZ, links, ARRAY_SIZE(links), "'copy.x' is neither a file");
	assert_refused(ARCHIVE_IS_TAR_GZ, &outside, 1, "'passwd' is neither a file");
}

static void more_files_than_the_limit_are_refused_and_as_many_are_not(void **state)
{
	struct archive_member members[11];
	char names[ARRAY_SIZE(members)][8], sha256[SHA256_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		snprintf(names[i], sizeof(names[i]), "f%zu", i);
		members[i] = (struct archive_member){.path = names[i], .content = "limit"};
	}
	rig.conf->limits_package_files = 10;
	assert_refused(ARCHIVE_IS_TAR_GZ, members, 11, "more than 10 files");
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, members, 10, sha256).failed);
}

static void more_bytes_than_the_limit_are_refused_and_as_many_are_not(void **state)
{
	AUTO(buf_free) struct buf text = {0};
	char sha256[SHA256_TEXT_SIZE];

	(void)state;
	while (text.len < 1500)
		buf_add_str(&text, "0123456789");
	const struct archive_member members[] = {{.path = "a", .content = buf_str(&text)},
						 {.path = "b", .content = buf_str(&text)}};
	rig.conf->limits_package_unpacked_bytes = 2999;
	assert_refused(ARCHIVE_IS_TAR_GZ, members, 2, "more than 2999 bytes");
	assert_refused(ARCHIVE_IS_ZIP, members, 2, "more than 2999 bytes");
	rig.conf->limits_package_unpacked_bytes = 3000;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, members, 2, sha256).failed);
}

/* Deeper than what can be linked and removed again. */
static void a_package_of_too_many_directories_in_each_other_is_refused(void **state)
{
	AUTO(buf_free) struct buf path = {0};

	(void)state;
	for (int i = 0; i < 200; i++)
		buf_add_str(&path, "d/");
	buf_add_str(&path, "file");
	const struct archive_member member = {.path = buf_str(&path), .content = "1"};
	assert_refused(ARCHIVE_IS_TAR_GZ, &member, 1, "directories");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKAGE_TEST(a_tar_gz_is_unpacked_read_only_whatever_the_umask),
		PACKAGE_TEST(a_zip_is_unpacked_read_only_whatever_the_umask),
		PACKAGE_TEST(a_plain_tar_is_unpacked_read_only_whatever_the_umask),
		PACKAGE_TEST(names_need_not_be_ascii),
		PACKAGE_TEST(a_member_for_the_directory_itself_is_fine),
		PACKAGE_TEST(a_package_that_is_there_already_stays),
		PACKAGE_TEST(the_same_package_may_be_unpacked_twice_at_once),
		PACKAGE_TEST(an_archive_with_another_hash_is_refused),
		PACKAGE_TEST(what_is_no_archive_is_refused),
		PACKAGE_TEST(an_archive_that_ends_early_is_refused),
		PACKAGE_TEST(paths_that_lead_outside_are_refused),
		PACKAGE_TEST(writing_through_a_symbolic_link_of_the_package_is_refused),
		PACKAGE_TEST(devices_pipes_and_hard_links_are_refused),
		PACKAGE_TEST(more_files_than_the_limit_are_refused_and_as_many_are_not),
		PACKAGE_TEST(more_bytes_than_the_limit_are_refused_and_as_many_are_not),
		PACKAGE_TEST(a_package_of_too_many_directories_in_each_other_is_refused),
	};

	return cmocka_run_group_tests(tests, package_rig_set_up, engine_rig_tear_down);
}
