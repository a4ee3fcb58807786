/*
 * Sends and receives one datagram with descriptors (SCM_RIGHTS, unix(7)). Neither blocks: both use MSG_DONTWAIT, and the caller
 * polls.
 */
#ifndef IPC_FDPASS_H
#define IPC_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Sends data and count descriptors, which stay the caller's. errno and err->code are EAGAIN when the socket is full. */
int fdpass_send(int fd, const void *data, size_t len, const int *fds, int count, struct err *err);

/*
 * Receives one datagram into data. *count is the number of descriptors received; they are close-on-exec and owned by the
 * caller. A datagram that does not fit, or that has more than max_fds descriptors, fails with EPROTO and leaves nothing open.
 * Returns the datagram's length, 0 at end of file, or -1 (with errno EAGAIN when there is no datagram).
 */
ssize_t fdpass_recv(int fd, void *data, size_t size, int *fds, int max_fds, int *count, struct err *err);

#endif
