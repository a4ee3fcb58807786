#include "tests/unit/poolmgr/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/directory.h"
#include "poolmgr/package.h"
#include "poolmgr/tree.h"
#include "poolmgr/work.h"
#include "tests/unit/poolmgr/archives.h"

/* Work that takes until it is told to end. */
struct staying {
	struct work work;
	sem_t *until;
	bool left;
};

/* What a job came to. */
struct outcome {
	bool done, failed;
	struct err err;
};

static void on_done(const struct err *err, void *arg)
{
	struct outcome *o = arg;

	assert_false(o->done);
	o->done = true;
	o->failed = err != NULL;
	if (err != NULL)
		o->err = *err;
}

static struct outcome unpack(const char *sha256, const struct buf *archive)
{
	struct outcome o = {0};
	void *copy = mem_alloc(archive->len + 1);

	memcpy(copy, buf_str(archive), archive->len);
	package_unpack(sha256, copy, archive->len, on_done, &o);
	assert_false(o.done); /* never from within the call */
	WAIT_FOR(o.done);
	return o;
}

static struct outcome unpack_members(enum archive_kind kind, const struct archive_member *members, size_t count,
				     char sha256[SHA256_TEXT_SIZE])
{
	AUTO(buf_free) struct buf archive = {0};

	archive_make(kind, members, count, &archive);
	archive_hash(&archive, sha256);
	return unpack(sha256, &archive);
}

/* The archive is refused with these words, and leaves nothing. */
static void assert_refused(enum archive_kind kind, const struct archive_member *members, size_t count, const char *words)
{
	char sha256[SHA256_TEXT_SIZE];
	int before = rig_count_names("cache");
	struct outcome o = unpack_members(kind, members, count, sha256);

	assert_true(o.failed);
	if (strstr(o.err.msg, words) == NULL)
		fail_msg("'%s' does not say '%s'", o.err.msg, words);
	assert_false(package_is_unpacked(sha256));
	assert_int_equal(rig_count_names("cache"), before);
}

static void assert_file(const char *sha256, const char *name, const char *text, mode_t mode)
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

/* For all work of that kind that was begun before. */
static void wait_for_work(enum work_kind kind)
{
	struct work last = {at_once, on_work_done, NULL, NULL};

	assert_int_equal(work_threads(kind), 1);
	is_done = false;
	work_begin(kind, &last);
	WAIT_FOR(is_done);
}

/* ---- What is accepted ---- */

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
	assert_true(package_is_unpacked(sha256));
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
		package_unpack(sha256, copy, archive.len, on_done, &outcomes[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		WAIT_FOR(outcomes[i].done);
		assert_false(outcomes[i].failed);
	}
	assert_file(sha256, "main.x", "at once", 0444);
	WAIT_FOR(rig_count_names("cache") == before + 1);
}

/* ---- What is refused ---- */

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
	assert_false(package_is_unpacked(wrong));
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
	assert_false(package_is_unpacked(sha256));
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
	assert_false(package_is_unpacked(sha256));
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

static void only_hashes_name_packages(void **state)
{
	(void)state;
	assert_false(package_is_unpacked(""));
	assert_false(package_is_unpacked("."));
	assert_false(package_is_unpacked("../cache"));
	assert_false(package_is_unpacked("0123"));
}

/* ---- Linking ---- */

static struct outcome link_into(const char *sha256, const char *directory)
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
	package_link(sha256, fd, on_done, &o);
	assert_false(o.done);
	WAIT_FOR(o.done);
	return o;
}

static void a_package_is_linked_not_copied(void **state)
{
	const struct archive_member members[] = {{.path = "main.x", .content = "linked"},
						 {.path = "lib/mod.x", .content = "2"}};
	char sha256[SHA256_TEXT_SIZE];
	struct stat a, b;

	(void)state;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, members, ARRAY_SIZE(members), sha256).failed);
	struct outcome o = link_into(sha256, "box");
	if (o.failed)
		fail_msg("%s", o.err.msg);
	AUTO(mem_free) char *original = mem_printf("%s/cache/%s/lib/mod.x", rig.dir, sha256);
	AUTO(mem_free) char *linked = mem_printf("%s/box/" DIRECTORY_FUNCTION "/lib/mod.x", rig.dir);
	assert_int_equal(stat(original, &a), 0);
	assert_int_equal(stat(linked, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

static void linking_a_package_that_is_not_there_fails(void **state)
{
	(void)state;
	struct outcome o = link_into("00112233445566778899aabbccddeeff00112233445566778899aabbccddeef0", "box2");
	assert_true(o.failed);
	assert_int_equal(o.err.code, ENOENT);
}

/* ---- When the power fails ---- */

int __wrap_syncfs(int fd);

static struct {
	int calls;
	bool fails;
	sem_t *waits; /* the call takes until it is posted; NULL: no time */
} sync_to_disk;

/* What reaches the disk cannot be seen without cutting the power. */
int __wrap_syncfs(int fd)
{
	(void)fd;
	if (sync_to_disk.waits != NULL)
		sem_wait(sync_to_disk.waits);
	sync_to_disk.calls++;
	if (sync_to_disk.fails) {
		errno = EIO;
		return -1;
	}
	return 0;
}

static mode_t mode_of(const char *sha256)
{
	AUTO(mem_free) char *path = mem_printf("%s/cache/%s", rig.dir, sha256);
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_mode & 0777;
}

static void a_package_is_used_before_it_is_on_the_disk_and_nobody_else_trusts_it_before(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "durable"};
	const struct archive_member another = {.path = "main.x", .content = "durable, too"};
	char sha256[SHA256_TEXT_SIZE], next[SHA256_TEXT_SIZE];
	sem_t disk;

	(void)state;
	wait_for_work(WORK_SYNC); /* one that is under way, and one for what came since it began */
	wait_for_work(WORK_SYNC);
	sem_init(&disk, 0, 0);
	sync_to_disk.calls = 0;
	sync_to_disk.waits = &disk;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &another, 1, next).failed);
	assert_true(package_is_unpacked(sha256));
	assert_false(link_into(sha256, "box5").failed);
	assert_int_equal(mode_of(sha256), 0700);
	assert_int_equal(mode_of(next), 0700);
	sem_post(&disk);
	WAIT_FOR(mode_of(sha256) == 0755);
	assert_int_equal(mode_of(next), 0700); /* it came after the call had begun */
	sem_post(&disk);
	WAIT_FOR(mode_of(next) == 0755);
	assert_int_equal(sync_to_disk.calls, 2);
	sync_to_disk.waits = NULL;
	sem_destroy(&disk);
}

static void a_package_the_disk_does_not_take_goes(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "not durable"};
	char sha256[SHA256_TEXT_SIZE];

	(void)state;
	sync_to_disk.fails = true;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	WAIT_FOR(!package_is_unpacked(sha256));
	sync_to_disk.fails = false;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	WAIT_FOR(mode_of(sha256) == 0755);
}

/* Half of its files may be empty. */
static void what_was_not_on_the_disk_when_an_earlier_process_ended_is_unpacked_anew(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "before the power failed"};
	char sha256[SHA256_TEXT_SIZE];
	struct err err;

	(void)state;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	WAIT_FOR(mode_of(sha256) == 0755);
	AUTO(mem_free) char *path = mem_printf("%s/cache/%s", rig.dir, sha256);
	AUTO(mem_free) char *file = mem_printf("%s/main.x", path);
	for (int before_the_survey = 0; before_the_survey < 2; before_the_survey++) {
		assert_int_equal(chmod(path, 0700), 0);
		assert_int_equal(chmod(file, 0600), 0);
		unit_write_file(file, "");
		assert_ok(package_init(rig.loop, rig.conf, &err));
		if (before_the_survey == 0)
			WAIT_FOR(mode_of(sha256) == 0);
		assert_false(package_is_unpacked(sha256));
		assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
		assert_true(package_is_unpacked(sha256));
		assert_file(sha256, "main.x", "before the power failed", 0444);
		WAIT_FOR(mode_of(sha256) == 0755);
	}
}

/* ---- How much there may be ---- */

/* A package that takes a little more than that many KiB. */
static void unpack_large(char marker, size_t kib, char sha256[SHA256_TEXT_SIZE])
{
	AUTO(mem_free) char *text = mem_alloc(kib * 1024 + 1);

	memset(text, marker, kib * 1024);
	const struct archive_member member = {.path = "main.x", .content = text};
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
}

/* Nothing may stay but what is in use: nobody uses anything here. */
static void empty_the_cache(void)
{
	rig.conf->pool_package_cache_mb = 0;
	package_set_conf(rig.conf);
	WAIT_FOR(rig_count_names("cache") == 0);
}

static void beyond_the_limit_the_package_unused_longest_goes(void **state)
{
	char a[SHA256_TEXT_SIZE], b[SHA256_TEXT_SIZE], c[SHA256_TEXT_SIZE];

	(void)state;
	empty_the_cache();
	rig.conf->pool_package_cache_mb = 1;
	unpack_large('a', 400, a);
	unpack_large('b', 400, b);
	assert_true(package_is_unpacked(a) && package_is_unpacked(b));
	assert_false(link_into(a, "box3").failed);
	unpack_large('c', 400, c);
	assert_true(package_is_unpacked(a)); /* used later than b */
	assert_false(package_is_unpacked(b));
	assert_true(package_is_unpacked(c));
	WAIT_FOR(rig_count_names("cache") == 2);
	unpack_large('b', 400, b);
	assert_true(package_is_unpacked(b));
	assert_false(package_is_unpacked(a));
	assert_true(rig_exists("box3/" DIRECTORY_FUNCTION "/main.x")); /* a sandbox keeps what it has */
	empty_the_cache();
}

static void a_package_that_is_being_linked_stays(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/box4", rig.dir);
	AUTO(mem_free) char *mounted = mem_printf("%s/" DIRECTORY_MOUNTED, path);
	AUTO(mem_free) char *function = mem_printf("%s/" DIRECTORY_FUNCTION, path);
	char a[SHA256_TEXT_SIZE];
	struct outcome o = {0};

	(void)state;
	unpack_large('l', 10, a);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(mkdir(mounted, 0755), 0);
	assert_int_equal(mkdir(function, 0755), 0);
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	package_link(a, fd, on_done, &o);
	rig.conf->pool_package_cache_mb = 0;
	package_set_conf(rig.conf);
	assert_true(package_is_unpacked(a));
	WAIT_FOR(o.done);
	assert_false(o.failed);
	package_set_conf(rig.conf);
	assert_false(package_is_unpacked(a));
	empty_the_cache();
}

/* As a node has them, where functions come and go. */
static void of_thousands_of_packages_as_many_stay_as_there_is_space_for(void **state)
{
	char sha256[SHA256_TEXT_SIZE], first[SHA256_TEXT_SIZE];
	int most = 0;

	(void)state;
	empty_the_cache();
	rig.conf->pool_package_cache_mb = 4;
	for (int n = 0; n < 2000; n++) {
		AUTO(buf_free) struct buf archive = {0};
		AUTO(mem_free) char *text = mem_printf("number %d", n);
		archive_make_one(text, &archive);
		archive_hash(&archive, sha256);
		if (n == 0)
			memcpy(first, sha256, sizeof(first));
		assert_false(unpack(sha256, &archive).failed);
		assert_true(package_is_unpacked(sha256));
		assert_true(package_cached_bytes() <= 4 << 20);
		most = MAX(most, (int)(package_cached_bytes() >> 10));
	}
	assert_in_range(most, 3 << 10, 4 << 10);
	assert_false(package_is_unpacked(first));
	wait_for_work(WORK_CHORE);
	assert_true(rig_count_names("cache") < 1024);
	rig.conf->pool_package_cache_mb = 2048;
}

static void stay_until(struct work *work)
{
	sem_wait(((struct staying *)work)->until);
}

static void on_left(struct work *work)
{
	((struct staying *)work)->left = true;
}

static void keep_busy(enum work_kind kind, struct staying *s, int count, sem_t *until)
{
	for (int i = 0; i < count; i++) {
		s[i] = (struct staying){{stay_until, on_left, NULL, NULL}, until, false};
		work_begin(kind, &s[i].work);
	}
}

/* The largest of all are unpacked, packages are removed, and the disk is slow: each takes until it is told to end. */
static void links_and_small_packages_wait_for_nothing_that_takes_long(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "small"};
	struct staying large[3], chores[3], syncs[3];
	struct outcome o = {0};
	AUTO(buf_free) struct buf archive = {0};
	char a[SHA256_TEXT_SIZE], b[SHA256_TEXT_SIZE];
	sem_t until;

	(void)state;
	rig.conf->pool_package_cache_mb = 2048;
	sem_init(&until, 0, 0);
	keep_busy(WORK_UNPACK_LARGE, large, 3, &until);
	keep_busy(WORK_CHORE, chores, 3, &until);
	keep_busy(WORK_SYNC, syncs, 3, &until);
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, a).failed);
	assert_false(link_into(a, "box6").failed);

	/* Small as an archive, and large for all that: it goes on behind those, and not before the next small one. */
	AUTO(mem_free) char *zeros = mem_alloc((17 << 20) + 1);
	memset(zeros, '0', 17 << 20);
	const struct archive_member bomb = {.path = "main.x", .content = zeros};
	archive_make(ARCHIVE_IS_TAR_GZ, &bomb, 1, &archive);
	archive_hash(&archive, b);
	void *copy = mem_alloc(archive.len);
	memcpy(copy, archive.data, archive.len);
	package_unpack(b, copy, archive.len, on_done, &o);
	for (int i = 0; i < 5; i++) {
		AUTO(mem_free) char *text = mem_printf("small %d", i);
		const struct archive_member one = {.path = "main.x", .content = text};
		assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &one, 1, a).failed);
	}
	assert_false(o.done);
	for (int i = 0; i < 9; i++)
		sem_post(&until);
	WAIT_FOR(o.done);
	assert_false(o.failed);
	assert_true(package_is_unpacked(b));
	for (int i = 0; i < 3; i++)
		WAIT_FOR(large[i].left && chores[i].left && syncs[i].left);
	sem_destroy(&until);
	empty_the_cache();
}

static void what_an_earlier_process_unpacked_counts_and_goes_in_the_order_of_its_last_use(void **state)
{
	char a[SHA256_TEXT_SIZE], b[SHA256_TEXT_SIZE], c[SHA256_TEXT_SIZE];
	struct timespec hours_ago[2] = {{.tv_sec = 7200}, {.tv_sec = 7200}};
	struct err err;

	(void)state;
	empty_the_cache();
	rig.conf->pool_package_cache_mb = 2;
	unpack_large('a', 400, a);
	unpack_large('b', 400, b);
	unpack_large('c', 400, c);
	WAIT_FOR(mode_of(a) == 0755 && mode_of(b) == 0755 && mode_of(c) == 0755);
	AUTO(mem_free) char *path = mem_printf("%s/cache/%s", rig.dir, b);
	assert_int_equal(utimensat(AT_FDCWD, path, hours_ago, 0), 0);
	rig.conf->pool_package_cache_mb = 1;
	assert_ok(package_init(rig.loop, rig.conf, &err));
	WAIT_FOR(!package_is_unpacked(b));
	assert_true(package_is_unpacked(a) && package_is_unpacked(c));
	empty_the_cache();
}

/* ---- Start ---- */

static void what_an_earlier_process_left_half_unpacked_goes_at_the_start_and_packages_stay(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "stays"};
	char sha256[SHA256_TEXT_SIZE];
	struct err err;

	(void)state;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	WAIT_FOR(mode_of(sha256) == 0755);
	AUTO(mem_free) char *gone = mem_printf("%s/cache/.removing-3", rig.dir);
	assert_int_equal(mkdir(gone, 0755), 0);
	AUTO(mem_free) char *half = mem_printf("%s/cache/.unpacking-77", rig.dir);
	AUTO(mem_free) char *sub = mem_printf("%s/sub", half);
	AUTO(mem_free) char *file = mem_printf("%s/file", sub);
	assert_int_equal(mkdir(half, 0755), 0);
	assert_int_equal(mkdir(sub, 0755), 0);
	unit_write_file(file, "half");
	assert_ok(package_init(rig.loop, rig.conf, &err));
	WAIT_FOR(!rig_exists("cache/.unpacking-77") && !rig_exists("cache/.removing-3"));
	assert_true(package_is_unpacked(sha256));
}

static void what_another_poolmgr_unpacks_at_the_start_is_left_alone(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/cache", rig.dir);
	AUTO(fd_close) int packages = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	(void)state;
	int others = tree_make_owned(packages, ".unpacking-of-another", &err);
	assert_ok(others);
	assert_ok(package_init(rig.loop, rig.conf, &err));
	wait_for_work(WORK_CHORE);
	assert_true(rig_exists("cache/.unpacking-of-another"));
	fd_close(&others); /* it died */
	assert_ok(package_init(rig.loop, rig.conf, &err));
	WAIT_FOR(!rig_exists("cache/.unpacking-of-another"));
}

static void a_cache_that_cannot_be_opened_is_an_error_in_words(void **state)
{
	struct conf nowhere = {.master_state_dir = "/nonexistent/berth"};
	struct err err;

	(void)state;
	assert_fails(package_init(rig.loop, &nowhere, &err), "/nonexistent/berth/cache");
}

static int set_up(void **state)
{
	struct err err;

	(void)state;
	rig_start();
	assert_ok(package_init(rig.loop, rig.conf, &err));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_stop();
	return 0;
}

static int each(void **state)
{
	(void)state;
	rig_reset();
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, each)
	const struct CMUnitTest tests[] = {
		TEST(a_tar_gz_is_unpacked_read_only_whatever_the_umask),
		TEST(a_zip_is_unpacked_read_only_whatever_the_umask),
		TEST(a_plain_tar_is_unpacked_read_only_whatever_the_umask),
		TEST(names_need_not_be_ascii),
		TEST(a_member_for_the_directory_itself_is_fine),
		TEST(a_package_that_is_there_already_stays),
		TEST(the_same_package_may_be_unpacked_twice_at_once),
		TEST(an_archive_with_another_hash_is_refused),
		TEST(what_is_no_archive_is_refused),
		TEST(an_archive_that_ends_early_is_refused),
		TEST(paths_that_lead_outside_are_refused),
		TEST(writing_through_a_symbolic_link_of_the_package_is_refused),
		TEST(devices_pipes_and_hard_links_are_refused),
		TEST(more_files_than_the_limit_are_refused_and_as_many_are_not),
		TEST(more_bytes_than_the_limit_are_refused_and_as_many_are_not),
		TEST(a_package_of_too_many_directories_in_each_other_is_refused),
		TEST(only_hashes_name_packages),
		TEST(a_package_is_linked_not_copied),
		TEST(linking_a_package_that_is_not_there_fails),
		TEST(a_package_is_used_before_it_is_on_the_disk_and_nobody_else_trusts_it_before),
		TEST(a_package_the_disk_does_not_take_goes),
		TEST(what_was_not_on_the_disk_when_an_earlier_process_ended_is_unpacked_anew),
		TEST(beyond_the_limit_the_package_unused_longest_goes),
		TEST(a_package_that_is_being_linked_stays),
		TEST(of_thousands_of_packages_as_many_stay_as_there_is_space_for),
		TEST(links_and_small_packages_wait_for_nothing_that_takes_long),
		TEST(what_an_earlier_process_unpacked_counts_and_goes_in_the_order_of_its_last_use),
		TEST(what_an_earlier_process_left_half_unpacked_goes_at_the_start_and_packages_stay),
		TEST(what_another_poolmgr_unpacks_at_the_start_is_left_alone),
		TEST(a_cache_that_cannot_be_opened_is_an_error_in_words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
