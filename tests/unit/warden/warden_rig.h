/*
 * Hierarchies of cgroups as plain files below a scratch directory.
 */
#ifndef UNIT_WARDEN_WARDEN_RIG_H
#define UNIT_WARDEN_WARDEN_RIG_H

#include "tests/unit/unit.h"
#include "warden/warden.h"

#define ID    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

extern char *scratch_dir; /* the directory of the hierarchies */

/* Makes a file that contains its own name; cgroup is the path below the hierarchy: "freezer", "/docker/…". */
void make_file(const char *hierarchy, const char *cgroup, const char *name);

/* Makes all files of a container's cgroup of v1. */
void make_v1(const char *cgroup);

int warden_rig_each(void **state);
int warden_rig_nothing_is_left(void **state);

#endif
