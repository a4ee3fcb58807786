#include "poolmgr/node/work.h"

#include <stdbool.h>
#include <stdlib.h>
#include <utlist.h>

/* The queue of one kind of work. */
struct queue {
	uv_mutex_t mutex; /* guards todo */
	uv_cond_t more;
	struct work *todo;
};

static const int threads[WORK_KINDS] = {
	[WORK_LINK] = 2, [WORK_DIRECTORY] = 2, [WORK_UNPACK] = 2, [WORK_UNPACK_LARGE] = 1, [WORK_SYNC] = 1, [WORK_CHORE] = 1,
};

static struct queue queues[WORK_KINDS];
static uv_mutex_t done_mutex; /* guards done */
static struct work *done;
static uv_async_t wake_up; /* wakes the loop when done is not empty */
static bool started;

static struct work *take(struct queue *q)
{
	uv_mutex_lock(&q->mutex);
	while (q->todo == NULL)
		uv_cond_wait(&q->more, &q->mutex);
	struct work *work = q->todo;
	DL_DELETE(q->todo, work);
	uv_mutex_unlock(&q->mutex);
	return work;
}

static void work_for_ever(void *arg)
{
	for (;;) {
		struct work *work = take(arg);
		work->run(work);
		uv_mutex_lock(&done_mutex);
		DL_APPEND(done, work);
		uv_mutex_unlock(&done_mutex);
		uv_async_send(&wake_up);
	}
}

static void on_wake_up(uv_async_t *async)
{
	struct work *all, *work, *next;

	(void)async;
	uv_mutex_lock(&done_mutex);
	all = done;
	done = NULL;
	uv_mutex_unlock(&done_mutex);
	DL_FOREACH_SAFE (all, work, next)
		work->after(work);
}

static void start(struct queue *q, int count)
{
	uv_thread_t thread;

	if (uv_mutex_init(&q->mutex) != 0 || uv_cond_init(&q->more) != 0)
		abort();
	for (int i = 0; i < count; i++)
		if (uv_thread_create(&thread, work_for_ever, q) != 0)
			abort();
}

void work_init(uv_loop_t *loop)
{
	if (started)
		return;
	started = true;
	if (uv_mutex_init(&done_mutex) != 0 || uv_async_init(loop, &wake_up, on_wake_up) != 0)
		abort();
	uv_unref((uv_handle_t *)&wake_up);
	for (int kind = 0; kind < WORK_KINDS; kind++)
		start(&queues[kind], threads[kind]);
}

void work_begin(enum work_kind kind, struct work *work)
{
	struct queue *q = &queues[kind];

	uv_mutex_lock(&q->mutex);
	DL_APPEND(q->todo, work);
	uv_cond_signal(&q->more);
	uv_mutex_unlock(&q->mutex);
}

int work_threads(enum work_kind kind)
{
	return threads[kind];
}
