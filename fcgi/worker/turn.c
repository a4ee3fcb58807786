#include "worker/turn.h"

#include <sys/eventfd.h>

/* The number of workers with a turn; before: only of those with a lower slot than this process. */
static int count(const struct turn *t, bool before)
{
	int used = scoreboard_used(t->board), n = 0;

	for (int i = 0; i < used && n < t->limit; i++) {
		const struct slot *slot = scoreboard_slot(t->board, i);
		if (before && slot == t->slot)
			break;
		n += atomic_load(&slot->has_turn) != 0;
	}
	return n;
}

static void wake_one(const struct turn *t)
{
	if (count(t, false) < t->limit)
		eventfd_write(t->wake_fd, 1);
}

bool turn_has(const struct turn *t)
{
	return t->limit == 0 || atomic_load(&t->slot->has_turn) != 0;
}

bool turn_take(struct turn *t)
{
	if (t->limit == 0)
		return true;
	if (!turn_has(t) && count(t, false) == t->limit)
		return false;
	/* Other workers may take a turn at the same moment. The order of the slots decides which of them give it up again. */
	atomic_store(&t->slot->has_turn, 1);
	if (count(t, true) < t->limit)
		return true;
	atomic_store(&t->slot->has_turn, 0);
	return false;
}

void turn_pass(struct turn *t)
{
	if (t->limit == 0 || !turn_has(t))
		return;
	atomic_store(&t->slot->has_turn, 0);
	wake_one(t);
}

bool turn_on_wake(struct turn *t)
{
	eventfd_t value;

	if (eventfd_read(t->wake_fd, &value) < 0 || !turn_take(t))
		return turn_has(t);
	wake_one(t);
	return true;
}
