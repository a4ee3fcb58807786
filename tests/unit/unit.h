/* What unit tests share: cmocka with all it needs in front of it, errors shown when they were not expected, scratch
 * directories. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"

/* Both evaluate call once and look at the variable err, which call is given. */
#define assert_ok(call)                                                                                                        \
	do {                                                                                                                   \
		if ((call) < 0)                                                                                                \
			fail_msg("%s failed: %s", #call, err.msg);                                                             \
	} while (0)
#define assert_fails(call, part)                                                                                               \
	do {                                                                                                                   \
		if ((call) >= 0)                                                                                               \
			fail_msg("%s did not fail", #call);                                                                    \
		if (strstr(err.msg, part) == NULL)                                                                             \
			fail_msg("'%s' does not say '%s'", err.msg, part);                                                     \
	} while (0)

/* For a test of what this machine has not got. cmocka's skip() says "not ok" in TAP, which automake takes for a failure. */
#define UNIT_SKIP(why)                                                                                                         \
	do {                                                                                                                   \
		printf("# skipped: %s\n", why);                                                                                \
		return;                                                                                                        \
	} while (0)

/* A new directory below /tmp. The caller gives it to unit_remove_dir. */
static inline char *unit_make_dir(void)
{
	char *path = strdup("/tmp/berth-unit.XXXXXX");

	assert_non_null(mkdtemp(path));
	return path;
}

static inline int unit_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Destructor for AUTO: removes the directory with all that is in it. */
static inline void unit_remove_dir(char **path)
{
	if (*path != NULL)
		nftw(*path, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*path);
	*path = NULL;
}

static inline void unit_write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

/* Descriptors this process has open. */
static inline int unit_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

#endif
