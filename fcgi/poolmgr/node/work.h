/*
 * Work on files, which may take long, in threads. Each kind of work has threads and a queue of its own, so that nothing waits
 * for what takes longer than itself: the links that every start needs not for packages being unpacked, those not for a large
 * one, and none of them for what nobody waits for.
 */
#ifndef POOLMGR_NODE_WORK_H
#define POOLMGR_NODE_WORK_H

#include <uv.h>

enum work_kind {
	WORK_LINK,         /* a package's files into a sandbox's directory */
	WORK_DIRECTORY,    /* removing that: there is room for another sandbox then */
	WORK_UNPACK,       /* a small package */
	WORK_UNPACK_LARGE, /* one at a time, since each archive is in memory meanwhile */
	WORK_SYNC,         /* having all that was written on the disk */
	WORK_CHORE,        /* what nobody waits for */
	WORK_KINDS
};

/* The first member of what is to be done. */
struct work {
	void (*run)(struct work *work);   /* in a thread */
	void (*after)(struct work *work); /* on the loop; may free it */
	struct work *prev, *next;
};

/* Before the first use; a second call does nothing. */
void work_init(uv_loop_t *loop);

/* First come, first served; work is the caller's until after is called. */
void work_begin(enum work_kind kind, struct work *work);

/* How many threads there are for this kind. */
int work_threads(enum work_kind kind);

#endif
