#include "tests/unit/poolmgr/threads.h"

#include <semaphore.h>

#include "tests/unit/poolmgr/rig.h"

#define THREADS_MAX 32

static struct {
	int stopped;
	struct work work[THREADS_MAX];
	sem_t busy, go_on;
	int ended;
} threads;

static void wait_in_thread(struct work *work)
{
	(void)work;
	sem_post(&threads.busy);
	sem_wait(&threads.go_on);
}

static void on_thread_ended(struct work *work)
{
	(void)work;
	threads.ended++;
}

void threads_stop_of(enum work_kind from, enum work_kind to)
{
	sem_init(&threads.busy, 0, 0);
	sem_init(&threads.go_on, 0, 0);
	threads.ended = 0;
	for (enum work_kind kind = from; kind <= to; kind++)
		for (int i = 0; i < work_threads(kind); i++) {
			struct work *work = &threads.work[threads.stopped++];
			*work = (struct work){wait_in_thread, on_thread_ended, NULL, NULL};
			work_begin(kind, work);
		}
	for (int i = 0; i < threads.stopped; i++)
		sem_wait(&threads.busy);
}

void threads_stop(void)
{
	threads_stop_of(0, WORK_KINDS - 1);
}

void threads_go_on(void)
{
	if (threads.stopped == 0)
		return;
	for (int i = 0; i < threads.stopped; i++)
		sem_post(&threads.go_on);
	WAIT_FOR(threads.ended == threads.stopped);
	threads.stopped = 0;
	sem_destroy(&threads.busy);
	sem_destroy(&threads.go_on);
}

void threads_settle(void)
{
	threads_stop();
	threads_go_on();
}
