#include "master/resources/descriptor.h"

#include <stdbool.h>

#include "base/fd.h"

#define EVERYBODY [0 ... CHILD_ROLE_COUNT - 1] = true
#define WORKERS                                                                                                                \
	[CHILD_INVOKE] = true, [CHILD_FOLLOW] = true, [CHILD_DEPLOY] = true, [CHILD_QUERY] = true, [CHILD_HEALTH] = true,      \
	[CHILD_CONTROL] = true

/* Which children get which descriptor, and at which number; no child gets a descriptor without a row. */
static const struct {
	enum inherited_fd number;
	bool is_for[CHILD_ROLE_COUNT];
} descriptors[DESCRIPTOR_COUNT] = {
	[FD_SCOREBOARD] = {INHERITED_SCOREBOARD_FD, {EVERYBODY}},
	[FD_LIFE] = {INHERITED_LIFE_FD, {EVERYBODY}},
	[FD_TURN] = {INHERITED_TURN_FD, {[CHILD_INVOKE] = true}},
	[FD_GATE] = {INHERITED_GATE_FD, {WORKERS}},
	[FD_POOLMGR] = {INHERITED_WARDEN_FD, {[CHILD_POOLMGR] = true}},
	[FD_WARDEN] = {INHERITED_WARDEN_FD, {[CHILD_WARDEN] = true}},
};

void descriptor_give(const int fds[DESCRIPTOR_COUNT], enum child_role role, int numbers[INHERITED_FD_LAST + 1])
{
	for (int i = 0; i < DESCRIPTOR_COUNT; i++)
		if (descriptors[i].is_for[role])
			numbers[descriptors[i].number] = fds[i];
}

void descriptor_close(int fds[DESCRIPTOR_COUNT])
{
	for (int i = 0; i < DESCRIPTOR_COUNT; i++)
		fd_close(&fds[i]);
}
