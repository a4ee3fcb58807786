#include "ipc/scoreboard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

/* The shared memory. Any child can write to it, so nothing in it is used as an index or an address. */
struct shared {
	_Atomic uint64_t spool_bytes;
	_Atomic int64_t started_us;
	_Atomic uint64_t gauges[GAUGE_COUNT];
	_Atomic uint64_t runtime_gauges[TALLY_RUNTIMES][RUNTIME_GAUGE_COUNT];
	_Atomic uint64_t counters[COUNTER_COUNT];
	_Atomic uint32_t stores;
	_Atomic int64_t certificate_ends_s;
	_Atomic int32_t used;
	struct {
		_Atomic uint64_t requests, dropped_records, failures;
	} past[CHILD_ROLE_COUNT]; /* failures and counts of processes that have ended */
	_Atomic uint32_t changes; /* odd while a count is moved from a slot to past */
	/* Slots of different children do not share a cache line. */
	_Alignas(64) struct {
		_Alignas(64) struct slot slot;
	} entries[];
	/*
	 * The same number of tallies follow. They are apart, because the master and the workers read through the slots all the
	 * time.
	 */
};

static const char *const state_names[SLOT_STATE_COUNT] = {
	[SLOT_FREE] = "free", [SLOT_STARTING] = "starting", [SLOT_IDLE] = "idle",
	[SLOT_BUSY] = "busy", [SLOT_STOPPING] = "stopping",
};

const char *slot_state_name(enum slot_state state)
{
	return state_names[state];
}

int64_t slot_silent_us(const struct slot *slot)
{
	int64_t beat_us = atomic_load_explicit(&slot->beat_us, memory_order_relaxed);
	int64_t quiet_us = clock_mono_us() - beat_us;

	return beat_us != 0 && quiet_us >= SLOT_SILENT_US ? quiet_us : 0;
}

struct scoreboard {
	struct shared *shared;
	size_t size;
	uint32_t count;
};

/* The wait is bounded, because a master that is killed while it retires a slot leaves changes odd. */
#define SUM_TIMEOUT_US 100000

#define SLOT_BYTES (sizeof(((struct shared *)0)->entries[0]) + sizeof(struct tally))

static size_t size_for(uint32_t count)
{
	return sizeof(struct shared) + count * SLOT_BYTES;
}

static int map(int fd, size_t size, struct scoreboard **board, struct err *err)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return err_set(err, errno, "map the scoreboard");
	struct scoreboard *b = mem_alloc(sizeof(*b));
	b->shared = p;
	b->size = size;
	b->count = (uint32_t)((size - sizeof(struct shared)) / SLOT_BYTES);
	*board = b;
	return 0;
}

int scoreboard_create(int count, struct scoreboard **board, int *fd, struct err *err)
{
	AUTO(fd_close) int memfd = memfd_create("berth-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert(count > 0);
	if (memfd < 0 || ftruncate(memfd, (off_t)size_for((uint32_t)count)) < 0)
		return err_set(err, errno, "create the scoreboard");
	/* Sealed: a process that shortened the file would kill all processes that read it. */
	if (fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_set(err, errno, "seal the scoreboard");
	if (map(memfd, size_for((uint32_t)count), board, err) < 0)
		return -1;
	(*board)->shared->started_us = clock_mono_us();
	*fd = TAKE_FD(memfd);
	return 0;
}

int scoreboard_attach(int fd, struct scoreboard **board, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "scoreboard descriptor %d", fd);
	if ((size_t)st.st_size < size_for(1))
		return err_set(err, EINVAL, "scoreboard of %lld bytes", (long long)st.st_size);
	return map(fd, (size_t)st.st_size, board, err);
}

void scoreboard_close(struct scoreboard **board)
{
	if (*board == NULL)
		return;
	munmap((*board)->shared, (*board)->size);
	mem_free(board);
}

int64_t scoreboard_started_us(const struct scoreboard *board)
{
	return board->shared->started_us;
}

int scoreboard_count(const struct scoreboard *board)
{
	return (int)board->count;
}

struct slot *scoreboard_slot(struct scoreboard *board, int index)
{
	assert(index >= 0 && (uint32_t)index < board->count);
	return &board->shared->entries[index].slot;
}

int scoreboard_used(const struct scoreboard *board)
{
	int used = atomic_load_explicit(&board->shared->used, memory_order_relaxed);

	return MAX(0, MIN(used, (int)board->count));
}

void scoreboard_set_used(struct scoreboard *board, int used)
{
	atomic_store(&board->shared->used, used);
}

static void clear(struct slot *slot)
{
	slot->pid = 0;
	slot->requests = 0;
	slot->dropped_records = 0;
	slot->has_turn = 0;
	slot->waits_in = 0;
	slot->beat_us = 0;
	slot->state = SLOT_FREE;
}

void scoreboard_retire(struct scoreboard *board, int index)
{
	struct slot *slot = scoreboard_slot(board, index);
	uint32_t role = slot->role;

	board->shared->changes++;
	if (role < CHILD_ROLE_COUNT) {
		board->shared->past[role].requests += slot->requests;
		board->shared->past[role].dropped_records += slot->dropped_records;
	}
	clear(slot);
	board->shared->changes++;
}

void scoreboard_count_failure(struct scoreboard *board, enum child_role role)
{
	board->shared->past[role].failures++;
}

static struct scoreboard_sum sum_once(struct scoreboard *board, enum child_role role)
{
	struct scoreboard_sum sum = {
		.requests = board->shared->past[role].requests,
		.dropped_records = board->shared->past[role].dropped_records,
		.failures = board->shared->past[role].failures,
	};

	for (int i = 0; i < scoreboard_used(board); i++) {
		struct slot *slot = scoreboard_slot(board, i);
		uint32_t state = slot->state;
		if (slot->pid == 0 || slot->role != (uint32_t)role || state >= SLOT_STATE_COUNT)
			continue;
		sum.states[state]++;
		int64_t silent_us = slot_silent_us(slot);
		sum.silent += silent_us > 0;
		sum.silent_us = MAX(sum.silent_us, silent_us);
		sum.requests += slot->requests;
		sum.dropped_records += slot->dropped_records;
	}
	return sum;
}

struct scoreboard_sum scoreboard_sum(struct scoreboard *board, enum child_role role)
{
	int64_t deadline_us = clock_mono_us() + SUM_TIMEOUT_US;

	/* A count read while a slot is being retired would be missing or counted twice, and the sum would seem to decrease. */
	for (;;) {
		uint32_t changes = board->shared->changes;
		struct scoreboard_sum sum = sum_once(board, role);
		if ((changes % 2 == 0 && changes == board->shared->changes) || clock_mono_us() > deadline_us)
			return sum;
		sched_yield();
	}
}

struct tally *scoreboard_tally(struct scoreboard *board, int index)
{
	assert(index >= 0 && (uint32_t)index < board->count);
	return (struct tally *)&board->shared->entries[board->count] + index;
}

void scoreboard_tally_sum(struct scoreboard *board, struct tally *sum)
{
	tally_clear(sum);
	for (int i = 0; i < scoreboard_used(board); i++)
		tally_add(sum, scoreboard_tally(board, i));
}

_Atomic uint64_t *scoreboard_counter(struct scoreboard *board, enum counter counter)
{
	assert((unsigned)counter < COUNTER_COUNT);
	return &board->shared->counters[counter];
}

_Atomic uint32_t *scoreboard_stores(struct scoreboard *board)
{
	return &board->shared->stores;
}

_Atomic int64_t *scoreboard_certificate_ends_s(struct scoreboard *board)
{
	return &board->shared->certificate_ends_s;
}

_Atomic uint64_t *scoreboard_gauge(struct scoreboard *board, enum gauge gauge)
{
	return &board->shared->gauges[gauge];
}

_Atomic uint64_t *scoreboard_runtime_gauge(struct scoreboard *board, int runtime, enum runtime_gauge gauge)
{
	assert(runtime >= 0 && runtime < TALLY_RUNTIMES);
	return &board->shared->runtime_gauges[runtime][gauge];
}

_Atomic uint64_t *scoreboard_spool_bytes(struct scoreboard *board)
{
	return &board->shared->spool_bytes;
}
