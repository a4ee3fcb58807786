/*
 * Secrets in what a function says: in what it printed, and in its errors. A function chooses its secrets and its text, and it
 * is the worker's time that is spent: looking takes a time in proportion to the text, whatever they are.
 */
#ifndef RUN_MASK_H
#define RUN_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MASK "***"

struct mask;

/* secrets: one after the other, each with a NUL behind it; copied. NULL when there are none, which everything here accepts. */
struct mask *mask_new(const char *secrets, size_t len);
void mask_free(struct mask **mask); /* destructor for AUTO */

/* A part of a text that is to be seen as MASK: a secret, or several that overlap. */
struct mask_span {
	uint32_t from, to;
};

/* Goes through a text, of less than 4 GiB, that comes in pieces. Zero-initialise it; its memory may serve one text after the
 * other. */
struct mask_scan {
	uint32_t state, at;
	struct buf spans; /* struct mask_span, rising; complete after mask_scan_end */
};
void mask_scan_begin(struct mask_scan *scan);
void mask_scan(struct mask *mask, struct mask_scan *scan, const char *text, size_t len);

/* cut: the text was cut off here, so the beginning of a secret counts for all of it. */
void mask_scan_end(const struct mask *mask, struct mask_scan *scan, bool cut);

size_t mask_span_count(const struct mask_scan *scan);
const struct mask_span *mask_span_at(const struct mask_scan *scan, size_t i);

/* Appends the text to out, with MASK in place of what is secret; cut: as above. */
void mask_add(struct mask *mask, const char *text, size_t len, bool cut, struct buf *out);

#endif
