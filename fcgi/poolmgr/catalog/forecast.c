#include "poolmgr/catalog/forecast.h"

#include <math.h>

#include "base/defs.h"

static double faded(const struct forecast *f, int64_t now_us, int64_t half_life_us)
{
	return f->most * exp2(-(double)(now_us - f->most_us) / (double)half_life_us);
}

static void move_window(struct forecast *f, int64_t now_us, int64_t window_us)
{
	if (now_us < f->window_end_us)
		return;
	f->before = now_us < f->window_end_us + window_us ? f->now : 0;
	f->now = 0;
	f->window_end_us = now_us + window_us;
}

void forecast_needed(struct forecast *f, int64_t now_us, int64_t window_us, int64_t half_life_us)
{
	move_window(f, now_us, window_us);
	f->now++;
	f->most = MAX(faded(f, now_us, half_life_us), f->before + f->now);
	f->most_us = now_us;
}

int forecast_most(const struct forecast *f, int64_t now_us, int64_t half_life_us)
{
	return (int)lround(faded(f, now_us, half_life_us));
}
