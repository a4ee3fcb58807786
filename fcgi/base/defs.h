/* Small macros for every file. */
#ifndef BASE_DEFS_H
#define BASE_DEFS_H

#include <sys/param.h> /* MIN, MAX */

#define ARRAY_SIZE(a)           (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/*
 * Scope-bound ownership: AUTO(fd_close) int fd = -1; runs fd_close(&fd) when the scope ends. Hand ownership on with
 * TAKE_FD(fd) or TAKE_PTR(p), which leave -1 or NULL behind.
 */
#define AUTO(destructor) __attribute__((cleanup(destructor)))
#define TAKE_FD(fd)                                                                                                            \
	__extension__({                                                                                                        \
		int taken_ = fd;                                                                                               \
		(fd) = -1;                                                                                                     \
		taken_;                                                                                                        \
	})
#define TAKE_PTR(p)                                                                                                            \
	__extension__({                                                                                                        \
		__typeof__(p) taken_ = (p);                                                                                    \
		(p) = NULL;                                                                                                    \
		taken_;                                                                                                        \
	})

#endif
