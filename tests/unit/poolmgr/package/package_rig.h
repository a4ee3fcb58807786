/*
 * The package cache on top of rig.h, without a pool. What reaches the disk cannot be seen without cutting the power: syncfs(2)
 * is played, and takes no time unless a test says otherwise.
 */
#ifndef UNIT_POOLMGR_PACKAGE_RIG_H
#define UNIT_POOLMGR_PACKAGE_RIG_H

#include "tests/unit/poolmgr/rig.h"

#include <semaphore.h>
#include <sys/stat.h>

#include "poolmgr/node/work.h"
#include "tests/unit/poolmgr/archives.h"

/* For cmocka: set-up of all tests of a program; their end is engine_rig_tear_down. */
int package_rig_set_up(void **state);
#define PACKAGE_TEST(name) cmocka_unit_test_setup(name, engine_rig_each)

extern struct package_rig_disk {
	int calls;
	bool fails;
	sem_t *waits; /* the call takes until it is posted; NULL: no time */
} package_rig_disk;

/* What a job came to; package_done is told, with one as arg. */
struct outcome {
	bool done, failed;
	struct err err;
};

void package_done(const struct err *err, void *arg);

struct outcome unpack(const char *sha256, const struct buf *archive);
struct outcome unpack_members(enum archive_kind kind, const struct archive_member *members, size_t count,
			      char sha256[SHA256_TEXT_SIZE]);

/* A package that takes a little more than that many KiB. */
void unpack_large(char marker, size_t kib, char sha256[SHA256_TEXT_SIZE]);

/* Links it into a new directory below rig.dir, as a sandbox has one. */
struct outcome link_into(const char *sha256, const char *directory);

/* Nothing may stay but what is in use: nobody uses anything here. */
void empty_the_cache(void);

void assert_file(const char *sha256, const char *name, const char *text, mode_t mode);

/* Of a package's directory; 0: there is none. */
mode_t mode_of(const char *sha256);

/* For all work of that kind that was begun before. */
void wait_for_work(enum work_kind kind);

#endif
