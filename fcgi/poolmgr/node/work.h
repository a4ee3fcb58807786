/*
 * Runs work on files, which may take long, in threads. Each kind of work has its own threads and queue, so that no work waits
 * for a slower kind: the links that every start needs do not wait for unpacking, small packages do not wait for a large one,
 * and none of them waits for work that is not urgent.
 */
#ifndef POOLMGR_NODE_WORK_H
#define POOLMGR_NODE_WORK_H

#include <uv.h>

enum work_kind {
	WORK_LINK,         /* links a package's files into a sandbox's directory */
	WORK_DIRECTORY,    /* removes that directory, which makes room for another sandbox */
	WORK_UNPACK,       /* unpacks a small package */
	WORK_UNPACK_LARGE, /* unpacks a large package; one at a time, because each archive is in memory meanwhile */
	WORK_SYNC,         /* syncs written files to the disk */
	WORK_CHORE,        /* work that is not urgent */
	WORK_KINDS
};

/* The first member of a struct that describes the work. */
struct work {
	void (*run)(struct work *work);   /* called in a thread */
	void (*after)(struct work *work); /* called on the loop; may free the work */
	struct work *prev, *next;
};

/* To be called before the first use; a second call does nothing. */
void work_init(uv_loop_t *loop);

/* Queues work, first come, first served. work must remain valid until after is called. */
void work_begin(enum work_kind kind, struct work *work);

/* The number of threads for this kind. */
int work_threads(enum work_kind kind);

#endif
