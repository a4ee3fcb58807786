/*
 * A histogram of durations counts how many fell into each bucket. The bounds of the buckets grow by 4 %, so a quantile is
 * accurate to 2 %. Histograms can be added in any order without loss. Only buckets that are not empty take space, in memory and
 * in bytes.
 *
 * Bucket 0 holds 0, bucket i > 0 durations of 1.04^(i-1) <= us < 1.04^i. The encoding is HISTOGRAM_FORMAT, then for each
 * bucket, from the lowest, the distance of its index from the previous one (for the first: from -1) and its count, both as
 * LEB128. An empty histogram has no bytes at all.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define HISTOGRAM_FORMAT  1
#define HISTOGRAM_BUCKETS 640 /* the last one also holds longer durations; its bound is 20 hours */

struct histogram_bucket {
	uint32_t index;
	uint64_t count;
};

/* Zero-initialise it. */
struct histogram {
	struct histogram_bucket *buckets; /* owned; sorted by index, none empty */
	uint32_t used, room;
};

void histogram_free(struct histogram *h); /* destructor for AUTO */

void histogram_add(struct histogram *h, uint64_t us);
void histogram_merge(struct histogram *to, const struct histogram *from);

void histogram_encode(const struct histogram *h, struct buf *out);

/* Adds an encoded histogram. -1 when the bytes are malformed; *to is then invalid. */
int histogram_merge_encoded(struct histogram *to, const void *data, size_t len, struct err *err);

/* The number of durations that were added. */
uint64_t histogram_count(const struct histogram *h);

/* The quantile q (0..1) by nearest rank, in us; 0 when nothing was added. */
double histogram_quantile(const struct histogram *h, double q);

#endif
