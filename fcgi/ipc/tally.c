#include "ipc/tally.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

const char *const tally_runtimes[] = TALLY_RUNTIME_NAMES;

/* Not an atomic addition, because no other process writes here. */
static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
}

static int find_runtime(const char *name)
{
	for (int i = 0; i < TALLY_RUNTIMES - 1; i++)
		if (strcmp(tally_runtimes[i], name) == 0)
			return i;
	return TALLY_RUNTIMES - 1;
}

uint64_t tally_bound_us(int bucket)
{
	return (uint64_t)TALLY_FIRST_US << bucket;
}

static int bucket_of(uint64_t us)
{
	int bucket = 0;

	while (bucket < TALLY_BUCKETS - 1 && us > tally_bound_us(bucket))
		bucket++;
	return bucket;
}

void tally_count(struct tally *t, const struct tally_invocation *i)
{
	int runtime = find_runtime(i->runtime);

	add(&t->invocations[runtime][i->start], 1);
	if (i->error >= 0 && i->error < TALLY_ERRORS)
		add(&t->errors[runtime][i->error], 1);
	add(&t->request_bytes, i->request_bytes);
	add(&t->response_bytes, i->response_bytes);
	add(&t->cpu_us[runtime], i->cpu_us);
	add(&t->background_us[runtime], i->background_us);
	for (int time = 0; time < TALLY_TIMES; time++) {
		uint64_t us = i->us[time] > 0 ? (uint64_t)i->us[time] : 0;
		if (us == 0 && (time == TALLY_INIT || time == TALLY_EXEC))
			continue;
		add(&t->times[runtime][time].buckets[bucket_of(us)], 1);
		add(&t->times[runtime][time].sum_us, us);
	}
}

void tally_count_background(struct tally *t, const char *runtime, uint64_t us)
{
	add(&t->background_us[find_runtime(runtime)], us);
}

void tally_count_late(struct tally *t, const char *runtime, uint64_t errors)
{
	add(&t->late_errors[find_runtime(runtime)], errors);
}

/* A tally consists of words only. */
#define WORDS (sizeof(struct tally) / sizeof(_Atomic uint64_t))
static_assert(sizeof(struct tally) % sizeof(_Atomic uint64_t) == 0, "no padding");

void tally_add(struct tally *to, const struct tally *from)
{
	_Atomic uint64_t *t = (_Atomic uint64_t *)to;
	const _Atomic uint64_t *f = (const _Atomic uint64_t *)from;

	for (size_t i = 0; i < WORDS; i++)
		add(&t[i], atomic_load_explicit(&f[i], memory_order_relaxed));
}

void tally_clear(struct tally *tally)
{
	_Atomic uint64_t *t = (_Atomic uint64_t *)tally;

	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&t[i], 0, memory_order_relaxed);
}
