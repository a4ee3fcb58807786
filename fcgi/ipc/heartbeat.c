#include "ipc/heartbeat.h"

#include <stddef.h>

#include "base/clock.h"

static struct slot *slot;

void heartbeat_begin(struct slot *s)
{
	slot = s;
	heartbeat_now();
}

void heartbeat_now(void)
{
	if (slot != NULL)
		atomic_store_explicit(&slot->beat_us, clock_mono_us(), memory_order_relaxed);
}

int64_t heartbeat_due_us(int64_t due_us)
{
	return slot != NULL ? MIN(due_us, clock_mono_us() + HEARTBEAT_US) : due_us;
}
