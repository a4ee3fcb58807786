#include "ipc/start_kind.h"

#include <string.h>

static const char *const names[IPC_START_COUNT] = {
	[IPC_START_NONE] = "",
	[IPC_START_WARM] = "warm",
	[IPC_START_PREWARMED] = "prewarmed",
	[IPC_START_COLD] = "cold",
};

const char *start_kind_name(enum ipc_start_kind kind)
{
	return (unsigned)kind < IPC_START_COUNT ? names[kind] : "";
}

enum ipc_start_kind start_kind_find(const char *name, size_t len)
{
	unsigned kind = 0;

	while (kind < IPC_START_COUNT && (strlen(names[kind]) != len || memcmp(names[kind], name, len) != 0))
		kind++;
	return (enum ipc_start_kind)kind;
}
