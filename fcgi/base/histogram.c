#include "base/histogram.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/leb128.h"
#include "base/mem.h"

#define GROWTH        1.04
#define ROOM_AT_FIRST 8

void histogram_free(struct histogram *h)
{
	free(h->buckets);
	*h = (struct histogram){0};
}

static uint32_t bucket_of(uint64_t us)
{
	if (us == 0)
		return 0;
	return MIN(1 + (uint32_t)(log((double)us) / log(GROWTH)), HISTOGRAM_BUCKETS - 1u);
}

/* The value that stands for a bucket: its relative distance to both bounds is the same. */
static double value_of(uint32_t index)
{
	return index == 0 ? 0 : 2 * pow(GROWTH, index) / (1 + GROWTH);
}

/*
 * The index of the bucket, or where to insert it. The search begins at index at: callers look up buckets in rising order and
 * pass the index of the last one.
 */
static uint32_t find(const struct histogram *h, uint32_t at, uint32_t index)
{
	uint32_t low = at, high = h->used;

	/* Usually it is the next one, because histograms of one function have much the same buckets. */
	if (low < high && h->buckets[low].index >= index)
		return low;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (h->buckets[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void make_room(struct histogram *h)
{
	if (h->used < h->room)
		return;
	h->room = MAX(2 * h->room, ROOM_AT_FIRST);
	h->buckets = mem_realloc(h->buckets, h->room * sizeof(h->buckets[0]));
}

/* Returns the index at which to look for the next bucket in order. */
static uint32_t add_to_bucket(struct histogram *h, uint32_t at, uint32_t index, uint64_t count)
{
	at = find(h, at, index);
	if (at == h->used || h->buckets[at].index != index) {
		make_room(h);
		memmove(h->buckets + at + 1, h->buckets + at, (h->used - at) * sizeof(h->buckets[0]));
		h->buckets[at] = (struct histogram_bucket){.index = index};
		h->used++;
	}
	h->buckets[at].count += count;
	return at + 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	add_to_bucket(h, 0, bucket_of(us), 1);
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < from->used; i++)
		at = add_to_bucket(to, at, from->buckets[i].index, from->buckets[i].count);
}

void histogram_encode(const struct histogram *h, struct buf *out)
{
	uint32_t before = UINT32_MAX; /* -1 */

	if (h->used > 0)
		buf_add_u8(out, HISTOGRAM_FORMAT);
	for (uint32_t i = 0; i < h->used; i++) {
		leb128_add(out, h->buckets[i].index - before);
		leb128_add(out, h->buckets[i].count);
		before = h->buckets[i].index;
	}
}

/* Reads the next bucket and its count. Returns how many bytes they took; 0 when they are malformed. */
static size_t decode_bucket(const unsigned char *data, size_t len, uint64_t *index, uint64_t *count)
{
	uint64_t step;
	size_t n = leb128_get(data, len, &step);
	size_t m = n > 0 ? leb128_get(data + n, len - n, count) : 0;

	*index += step;
	return m > 0 && step > 0 && step <= HISTOGRAM_BUCKETS && *index<HISTOGRAM_BUCKETS && * count> 0 ? n + m : 0;
}

int histogram_merge_encoded(struct histogram *to, const void *data, size_t len, struct err *err)
{
	const unsigned char *bytes = data;
	uint64_t index = UINT64_MAX, count; /* -1 */
	uint32_t place = 0;

	if (len > 0 && bytes[0] != HISTOGRAM_FORMAT)
		return err_set(err, EPROTO, "%zu bytes are no histogram", len);
	for (size_t at = 1, n; at < len; at += n) {
		n = decode_bucket(bytes + at, len - at, &index, &count);
		if (n == 0)
			return err_set(err, EPROTO, "%zu bytes are no histogram", len);
		place = add_to_bucket(to, place, (uint32_t)index, count);
	}
	return 0;
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < h->used; i++)
		count += h->buckets[i].count;
	return count;
}

double histogram_quantile(const struct histogram *h, double q)
{
	uint64_t wanted = (uint64_t)MAX(ceil(q * (double)histogram_count(h)), 1.0), seen = 0;

	for (uint32_t i = 0; i < h->used; i++) {
		seen += h->buckets[i].count;
		if (seen >= wanted)
			return value_of(h->buckets[i].index);
	}
	return 0;
}
