#include "ipc/inherited.h"

#include <string.h>

static const char *const names[CHILD_ROLE_COUNT] = {
	[CHILD_INVOKE] = "invoke",   [CHILD_FOLLOW] = "follow",       [CHILD_DEPLOY] = "deploy",
	[CHILD_QUERY] = "query",     [CHILD_HEALTH] = "health",       [CHILD_CONTROL] = "control",
	[CHILD_POOLMGR] = "poolmgr", [CHILD_COLLECTOR] = "collector", [CHILD_WARDEN] = "warden",
};

const char *child_role_name(enum child_role role)
{
	return (unsigned)role < CHILD_ROLE_COUNT ? names[role] : "?";
}

enum child_role child_role_parse(const char *name)
{
	unsigned role = 0;

	while (role < CHILD_ROLE_COUNT && strcmp(names[role], name) != 0)
		role++;
	return (enum child_role)role;
}
