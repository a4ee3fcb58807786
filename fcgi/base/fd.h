/* Descriptors: closed once, close-on-exec from birth. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Destructor: closes *fd unless it is -1, and sets it to -1. close() is never retried. */
void fd_close(int *fd);

int fd_set_cloexec(int fd, bool on, struct err *err);
int fd_set_nonblock(int fd, bool on, struct err *err);

/* Writes all of data; retries on EINTR and short writes. The descriptor must be blocking. */
int fd_write_all(int fd, const void *data, size_t len, struct err *err);

/* The whole of a small file, NUL-terminated; the caller frees *text. Fails when it is longer than max_bytes. */
int fd_read_file(const char *path, size_t max_bytes, char **text, size_t *len, struct err *err);

/*
 * Listens on a unix socket below dir_fd (AT_FDCWD for a plain path); type is SOCK_STREAM or SOCK_SEQPACKET, plus SOCK_NONBLOCK.
 * A socket left there by an earlier process is replaced. The path may be longer than sun_path as long as name is short:
 * the address goes through /proc/self/fd. The new socket gets mode.
 */
int fd_listen_unix(int dir_fd, const char *name, int type, mode_t mode, int backlog, struct err *err);

/* Connects to a unix socket; the result is close-on-exec and, with SOCK_NONBLOCK in type, non-blocking. */
int fd_connect_unix(const char *path, int type, struct err *err);

#endif
