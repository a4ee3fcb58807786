/*
 * How an invocation got its sandbox. GRANT, records and tallies contain the number; its name is needed only where it is shown
 * to users.
 */
#ifndef IPC_START_KIND_H
#define IPC_START_KIND_H

#include <stddef.h>

/* NONE: there was no sandbox; it never occurs in a GRANT. */
enum ipc_start_kind { IPC_START_NONE, IPC_START_WARM, IPC_START_PREWARMED, IPC_START_COLD, IPC_START_COUNT };

/* The name, for example "warm"; "" for NONE and for a number that is not a kind. */
const char *start_kind_name(enum ipc_start_kind kind);

/* The kind with that name of len bytes; "" is NONE. IPC_START_COUNT: there is no such kind. */
enum ipc_start_kind start_kind_find(const char *name, size_t len);

#endif
