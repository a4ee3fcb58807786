/*
 * One datagram with descriptors (SCM_RIGHTS, unix(7)). Sockets on either end never block in here: sends and receives are
 * MSG_DONTWAIT, and the caller polls.
 */
#ifndef IPC_FDPASS_H
#define IPC_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Sends data and count descriptors, which stay the caller's. errno and err->code are EAGAIN when the socket is full. */
int fdpass_send(int fd, const void *data, size_t len, const int *fds, int count, struct err *err);

/*
 * Receives one datagram into data. Descriptors are close-on-exec; *count says how many came and the caller owns them. A
 * datagram that does not fit, or with more than max_fds descriptors, fails with EPROTO and nothing stays open. Returns the
 * datagram's length, 0 at end of file, -1 otherwise (errno EAGAIN: nothing there).
 */
ssize_t fdpass_recv(int fd, void *data, size_t size, int *fds, int max_fds, int *count, struct err *err);

#endif
