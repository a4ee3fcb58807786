/*
 * A histogram of durations: how many fell into each bucket, whose bounds grow by 4 %, so that a quantile is off by 2 % of
 * itself at most. Adding two up gives the histogram of both; nothing is lost by it, whatever the order. Only buckets that were
 * hit take space, in memory and in bytes.
 *
 * Bucket 0 holds 0, bucket i > 0 what is within 1.04^(i-1) <= us < 1.04^i. As bytes: HISTOGRAM_FORMAT, then per bucket, from
 * the lowest, how far it is from the one before (the first: from -1) and its count, both LEB128. No bytes at all: nothing
 * counted.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define HISTOGRAM_FORMAT  1
#define HISTOGRAM_BUCKETS 640 /* the last one, too, holds what is longer: 20 hours */

struct histogram_bucket {
	uint32_t index;
	uint64_t count;
};

/* Zero-initialise it. */
struct histogram {
	struct histogram_bucket *buckets; /* owned; by index, none empty */
	uint32_t used, room;
};

void histogram_free(struct histogram *h); /* destructor for AUTO */

void histogram_add(struct histogram *h, uint64_t us);
void histogram_merge(struct histogram *to, const struct histogram *from);

void histogram_encode(const struct histogram *h, struct buf *out);

/* Adds what the bytes hold. -1: they are no histogram; *to is then worth nothing. */
int histogram_merge_encoded(struct histogram *to, const void *data, size_t len, struct err *err);

/* How many were added. */
uint64_t histogram_count(const struct histogram *h);

/* The value, in us, that a share q (0..1) of all does not exceed (nearest rank). 0 when nothing was added. */
double histogram_quantile(const struct histogram *h, double q);

#endif
