/*
 * Masks secrets in what a function prints and in its errors. A function chooses both its secrets and its text, and the search
 * uses the worker's time, so that time depends only on the length of the text.
 */
#ifndef OUTPUT_MASK_H
#define OUTPUT_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MASK "***"

struct mask;

/* secrets: each is followed by a NUL; copied. Returns NULL when there are none; all functions here accept NULL. */
struct mask *mask_new(const char *secrets, size_t len);
void mask_free(struct mask **mask); /* destructor for AUTO */

/* A part of a text that is to be replaced by MASK: a secret, or several that overlap. */
struct mask_span {
	uint32_t from, to;
};

/* Scans a text of less than 4 GiB that comes in pieces. Zero-initialise it; it can be reused for one text after the other. */
struct mask_scan {
	uint32_t state, at;
	struct buf spans; /* struct mask_span, sorted; complete after mask_scan_end */
};
void mask_scan_begin(struct mask_scan *scan);
void mask_scan(struct mask *mask, struct mask_scan *scan, const char *text, size_t len);

/* cut: the text was cut off here, so the prefix of a secret at its end is masked as well. */
void mask_scan_end(const struct mask *mask, struct mask_scan *scan, bool cut);

/* What follows does not continue what was scanned before. */
void mask_scan_restart(struct mask_scan *scan);

size_t mask_span_count(const struct mask_scan *scan);
const struct mask_span *mask_span_at(const struct mask_scan *scan, size_t i);

/* Appends the text to out, with its secrets replaced by MASK; cut: as above. */
void mask_add(struct mask *mask, const char *text, size_t len, bool cut, struct buf *out);

#endif
