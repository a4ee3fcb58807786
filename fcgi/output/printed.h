/*
 * Collects what an invocation prints to stdout and stderr, and then makes one log of it: in the order in which it was printed,
 * as far as that is known, with its times, its streams and its levels, and with secrets masked. Secrets are searched for while
 * the output is read, so that the search counts towards the invocation's time.
 *
 * Agents write marks into the output (runtimes/protocol.md), which do not become part of the text. Each stream has its own
 * connection, so the kernel keeps the order within a stream, but not between the two. When an agent switches from one stream to
 * the other it writes a mark to both: what is before the n-th such mark of a stream was printed before what is after the n-th
 * one of the other. Output of programs that write no marks, such as children, is placed in the order in which it was read. The
 * marks of levels begin and end an entry of that level in their stream. A function that writes marks itself only mixes up its
 * own log.
 *
 * What a function prints when it has answered belongs to the invocation that has left it behind, though it is read at the
 * beginning of the next one: it is the late output of that invocation, and has a log of its own. Agents mark where an
 * invocation begins, if anything was printed since the answer before, and errors that nobody caught after an answer.
 */
#ifndef OUTPUT_PRINTED_H
#define OUTPUT_PRINTED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fields.h"
#include "output/mask.h"

#define PRINTED_HEAD       "\xff\0berth:"             /* of every mark */
#define PRINTED_MARK(name) PRINTED_HEAD name "\0\xff" /* all names have six bytes */
#define PRINTED_SWITCH     PRINTED_MARK("switch")
#define PRINTED_INVOKE     PRINTED_MARK("invoke")
#define PRINTED_FAILED     PRINTED_MARK("failed")
#define PRINTED_MARK_SIZE  (sizeof(PRINTED_SWITCH) - 1)

#define PRINTED_END_SIZE 16384

enum printed_stream { PRINTED_STDOUT, PRINTED_STDERR, PRINTED_STREAMS };

/*
 * About a piece of the text: it begins at offset, after so many switches, and was read ms after the request. It belongs to the
 * entry that the entries-th mark of a level has begun, or to none if the level is 0.
 */
struct printed_note {
	uint32_t offset, switches, ms;
	uint32_t entries : 29, level : 3;
};

struct printed_text {
	struct buf data;
	size_t kept; /* length of the text in data; the bytes after it may be the beginning of a mark */
	size_t pending;
	uint64_t lost;           /* number of bytes for which there was no room */
	size_t own;              /* index of the first note of the invocation itself; those before are about late output */
	size_t late;             /* length of the late output, before secrets are masked */
	uint32_t late_entries;   /* entries of the late output */
	bool begun;              /* the agent has marked where the invocation begins */
	struct buf end;          /* the end of the text, if bytes were lost */
	struct printed_note now; /* about what is read next */
	struct buf notes;        /* struct printed_note, sorted by offset */
	struct mask_scan scan;
};

/* Zero-initialise it. It is reused for one invocation after the other. */
struct printed {
	struct printed_text texts[PRINTED_STREAMS];
	size_t room;
	struct mask *mask; /* borrowed */
	bool follows;      /* output before the invocation is the late output of another one */
	uint64_t late_lost;
	unsigned failures; /* marked errors that nobody caught, in late output */
};

/* The log of an invocation, as ipc/record.def has it. */
struct printed_log {
	struct buf text, times, streams, levels;
	uint64_t bytes; /* bytes printed in all, kept or not */
};

void printed_free(struct printed *printed);
void printed_log_free(struct printed_log *log);
void printed_trim(struct printed *printed, struct printed_log *log); /* frees the memory that a large log needed */
void printed_log_trim(struct printed_log *log);

/*
 * Begins a new log. room: the number of bytes to keep of both streams together. mask: for their secrets, may be NULL, and must
 * remain valid until printed_finish. follows: whether there was an invocation before, so that there may be late output.
 */
void printed_begin(struct printed *printed, size_t room, struct mask *mask, bool follows);

/* All that was read so far is late output; nothing happens unless the invocation follows another one. */
void printed_late(struct printed *printed);

/* The text of a stream was cut here, so the beginning of a secret at its end is masked. */
void printed_cut(struct printed *printed, enum printed_stream stream);

/* Counts bytes that were printed, but are not there any more. */
void printed_lose(struct printed *printed, uint64_t bytes);

/*
 * printed_reserve returns where to read up to size more bytes of a stream to; printed_take reports that n were read, ms after
 * the request.
 */
char *printed_reserve(struct printed *printed, enum printed_stream stream, size_t size);
void printed_take(struct printed *printed, enum printed_stream stream, size_t n, int64_t ms);

/* The number of bytes read, whether or not there was room for them. */
uint64_t printed_bytes(const struct printed *printed);

/* The end of what was read of a stream, whether or not there was room for it: at most PRINTED_END_SIZE bytes. */
struct str printed_end(const struct printed *printed, enum printed_stream stream);

/*
 * Ends the output and makes *log of it, and *late of the late output: of that, at most late_room bytes are kept, and its times
 * are those after late_ms, in which printed_take's began. late may be NULL if the invocation follows no other.
 */
void printed_finish(struct printed *printed, struct printed_log *log, struct printed_log *late, size_t late_room,
		    int64_t late_ms);

#endif
