#include "poolmgr/node/headroom.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/defs.h"
#include "base/mem.h"

#define PERIOD_US 500000

static char *path;
static int64_t next_us;
static uint64_t busy, idle; /* at the previous look, in the kernel's ticks */
static bool is_there = true;

/* "cpu  user nice system idle iowait irq softirq steal …" of all processors. */
static bool read_times(uint64_t *now_busy, uint64_t *now_idle)
{
	uint64_t t[8] = {0};
	FILE *in = fopen(path, "re");
	int n = in != NULL ? fscanf(in,
				    "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
				    " %" SCNu64,
				    &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7])
			   : 0;

	if (in != NULL)
		fclose(in);
	*now_idle = t[3] + t[4];
	*now_busy = t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
	return n == ARRAY_SIZE(t);
}

void headroom_tick(int64_t now_us, int64_t idle_percent)
{
	uint64_t now_busy, now_idle;

	if (now_us < next_us)
		return;
	bool first = next_us == 0;
	next_us = now_us + PERIOD_US;
	if (!read_times(&now_busy, &now_idle)) {
		is_there = true;
		return;
	}
	uint64_t more_busy = now_busy - busy, more_idle = now_idle - idle;
	is_there = first || more_idle * 100 >= (more_busy + more_idle) * (uint64_t)idle_percent;
	busy = now_busy;
	idle = now_idle;
}

bool headroom_is_there(void)
{
	return is_there;
}

void headroom_init(const char *p)
{
	mem_free(&path);
	path = mem_strdup(p);
	next_us = 0;
	is_there = true;
}
