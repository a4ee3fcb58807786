/*
 * Messages between workers and poolmgr, as listed in ipc_msg.def: encode, decode, send and receive with descriptors. Both ends
 * check everything: a datagram that does not decode exactly, or that comes from the wrong side, fails with EPROTO, and the
 * receiver closes the connection.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/err.h"
#include "base/fields.h"
#include "ipc/counter.h"
#include "ipc/problem_code.h"
#include "ipc/start_kind.h"

/* A datagram is never longer than this. The largest content, a function's environment, is bounded well below. */
#define IPC_MAX_SIZE 131072
#define IPC_MAX_FDS  6
#define IPC_NO_FDS                                                                                                             \
	{                                                                                                                      \
		-1, -1, -1, -1, -1, -1                                                                                         \
	}

/* The maximum number of sandboxes that a worker keeps for its next requests, besides the one in use. */
#define IPC_KEPT_MAX 8

/* poolmgr's socket in the run directory. */
#define IPC_SOCKET_NAME "poolmgr.sock"

#define IPC_CPU_UNKNOWN UINT64_MAX /* the value of cpu_read_us when it is not known */

enum ipc_side { IPC_WORKER, IPC_POOLMGR, IPC_WARDEN };

enum ipc_type {
#define IPC_MESSAGE(NAME, name, sender, fds) IPC_##NAME,
#define IPC_FIELD(name, type, field)
#define IPC_ENUM(name, exists, field)
#define IPC_END(name)
#include "ipc/ipc_msg.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_ENUM
#undef IPC_END
	IPC_TYPE_COUNT
};

/* struct ipc_lease { uint64_t seq; … }; and so on. */
#define IPC_MESSAGE(NAME, name, sender, fds) struct ipc_##name {
#define IPC_FIELD(name, type, field)         FIELD_C_##type field;
#define IPC_ENUM(name, exists, field)        uint8_t field;
#define IPC_END(name)                                                                                                          \
	}                                                                                                                      \
	;
#include "ipc/ipc_msg.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_ENUM
#undef IPC_END

struct ipc_msg {
	enum ipc_type type;
	union {
#define IPC_MESSAGE(NAME, name, sender, fds) struct ipc_##name name;
#define IPC_FIELD(name, type, field)
#define IPC_ENUM(name, exists, field)
#define IPC_END(name)
#include "ipc/ipc_msg.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_ENUM
#undef IPC_END
	};
	int fds[IPC_MAX_FDS]; /* in a received message: owned by the receiver, -1 when absent; in a message to send: borrowed */
};

const char *ipc_name(enum ipc_type type);

/* Writes the datagram of msg to *out. -1 when it would be longer than IPC_MAX_SIZE. */
int ipc_encode(const struct ipc_msg *msg, struct buf *out, struct err *err);

/* Decodes a datagram. Strings point into data; fds are set to -1. */
int ipc_decode(const void *data, size_t len, enum ipc_side sender, struct ipc_msg *msg, struct err *err);

/* Sends one message without blocking; descriptors stay the caller's. err->code is EAGAIN when the socket is full. */
int ipc_send(int fd, const struct ipc_msg *msg, struct err *err);

/*
 * Receives one message from the other side; waits until deadline_us at most (0: not at all). Strings point into scratch, which
 * keeps them until its next use. Returns 1, 0 at end of file, -1 with err->code EAGAIN when nothing came in time.
 */
int ipc_recv(int fd, enum ipc_side sender, int64_t deadline_us, struct buf *scratch, struct ipc_msg *msg, struct err *err);

/* Closes the descriptors that a received message still owns. */
void ipc_close_fds(struct ipc_msg *msg);

#endif
