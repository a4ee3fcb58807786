#include "run/slow_timer.h"

#include <stddef.h>

#include "base/clock.h"

void slow_timer_fire(struct slow_timer *p)
{
	if (p == NULL || p->due_us == INT64_MAX)
		return;
	p->due_us = p->over(p->arg);
}

void slow_timer_expect(struct slow_timer *p, int64_t until_us)
{
	if (p == NULL || until_us <= p->due_us)
		return;
	p->until_us = until_us;
	slow_timer_fire(p);
	p->until_us = 0;
}

int slow_timer_poll(struct slow_timer *p, struct pollfd *fds, nfds_t count, int64_t deadline_us)
{
	while (p != NULL && p->due_us < deadline_us) {
		int rc = poll(fds, count, clock_left_ms(p->due_us));
		if (rc != 0)
			return rc;
		slow_timer_fire(p);
	}
	return poll(fds, count, clock_left_ms(deadline_us));
}
