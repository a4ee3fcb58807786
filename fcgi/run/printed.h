/*
 * What an invocation prints to stdout and to stderr, while it is read, and then as one log: in the order it was printed, as far
 * as that is known, with its times and its streams, and without secrets. These are looked for as it is read, so that it is
 * the invocation's time that they take.
 *
 * Each stream has a connection of its own, so the kernel keeps the order within a stream, and no order between the two. When an
 * agent goes from one to the other it writes a mark to both (runtimes/protocol.md): what is before the first mark of a stream
 * was printed before whatever is behind the first mark of the other, and so on. What knows nothing of marks, a child say, falls
 * in between, in the order it was read. A mark that a function invents costs it the order of its own log.
 */
#ifndef RUN_PRINTED_H
#define RUN_PRINTED_H

#include <stdint.h>

#include "base/buf.h"
#include "run/mask.h"

#define PRINTED_MARK      "\xff\0berth:switch\0\xff"
#define PRINTED_MARK_SIZE (sizeof(PRINTED_MARK) - 1)

enum printed_stream { PRINTED_STDOUT, PRINTED_STDERR, PRINTED_STREAMS };

/* From offset on the text was read then, behind that many marks. */
struct printed_note {
	uint32_t offset, marks, ms;
};

struct printed_text {
	struct buf data;
	size_t kept; /* bytes of data; what follows may be the beginning of a mark */
	size_t pending;
	uint64_t lost; /* bytes for which there was no room */
	uint32_t marks;
	struct buf notes; /* struct printed_note, rising */
	struct mask_scan scan;
};

/* Zero-initialise it. Its memory serves one invocation after the other. */
struct printed {
	struct printed_text texts[PRINTED_STREAMS];
	size_t room;
	struct mask *mask; /* borrowed */
};

/* The log of an invocation, as ipc/record.def has it. */
struct printed_log {
	struct buf text, times, streams;
	uint64_t bytes; /* kept or not */
};

void printed_free(struct printed *printed);
void printed_log_free(struct printed_log *log);
void printed_trim(struct printed *printed, struct printed_log *log); /* gives memory back that a large log took */

/* Begins anew: room is for how many bytes of both streams; mask (NULL: none), for their secrets, lasts until printed_finish. */
void printed_begin(struct printed *printed, size_t room, struct mask *mask);

/* Where to read size more bytes of a stream to, and that n of them were, that long after the request. */
char *printed_reserve(struct printed *printed, enum printed_stream stream, size_t size);
void printed_take(struct printed *printed, enum printed_stream stream, size_t n, int64_t ms);

/* All that came, whether there was room or not. */
uint64_t printed_bytes(const struct printed *printed);

/* That was all: makes *log of it. */
void printed_finish(struct printed *printed, struct printed_log *log);

#endif
