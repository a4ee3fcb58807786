/*
 * Packages onto the disk. Nobody waits for that: a package is used as soon as it is unpacked, and until it is on the disk its
 * directory has another mode (cache_files.h).
 */
#ifndef POOLMGR_PACKAGE_SYNC_H
#define POOLMGR_PACKAGE_SYNC_H

struct package;

/* It was just unpacked, and is unsafe until the disk has it; one that the disk does not take is evicted. */
void sync_package(struct package *package);

#endif
