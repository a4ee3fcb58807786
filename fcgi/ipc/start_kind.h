/* How the sandbox of an invocation came about: GRANT has it, records and tallies keep it, and only who shows it wants its name.
 */
#ifndef IPC_START_KIND_H
#define IPC_START_KIND_H

#include <stddef.h>

/* NONE: there was no sandbox, which no GRANT says. */
enum ipc_start_kind { IPC_START_NONE, IPC_START_WARM, IPC_START_PREWARMED, IPC_START_COLD, IPC_START_COUNT };

/* "warm"; "" for NONE, and for a number that is none of them. */
const char *start_kind_name(enum ipc_start_kind kind);

/* The kind of that name, of len bytes; "" is NONE. IPC_START_COUNT: there is none. */
enum ipc_start_kind start_kind_find(const char *name, size_t len);

#endif
