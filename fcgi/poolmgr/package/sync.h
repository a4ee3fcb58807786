/*
 * Syncs packages to the disk. No request waits for that: a package is used as soon as it is unpacked, and until it is on the
 * disk its directory has a different mode (cache_files.h).
 */
#ifndef POOLMGR_PACKAGE_SYNC_H
#define POOLMGR_PACKAGE_SYNC_H

struct package;

/* To be called for a package that was just unpacked: it is unsafe until it is on the disk. If the sync fails it is evicted. */
void sync_package(struct package *package);

#endif
