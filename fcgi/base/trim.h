/* Frees the memory of a buffer that a large request made large. Such buffers live as long as the process. */
#ifndef BASE_TRIM_H
#define BASE_TRIM_H

#include "base/buf.h"

#define TRIM_ABOVE (1u << 20)

static inline void trim_buf(struct buf *b)
{
	if (b->cap > TRIM_ABOVE)
		buf_free(b);
	else
		buf_reset(b);
}

#endif
