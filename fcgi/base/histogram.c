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

/* Between the bounds so that it is off by the same share of either. */
static double value_of(uint32_t index)
{
	return index == 0 ? 0 : 2 * pow(GROWTH, index) / (1 + GROWTH);
}

/* Where the bucket is, or would be. */
static uint32_t find(const struct histogram *h, uint32_t index)
{
	uint32_t low = 0, high = h->used;

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

static void add_to_bucket(struct histogram *h, uint32_t index, uint64_t count)
{
	uint32_t at = find(h, index);

	if (at == h->used || h->buckets[at].index != index) {
		make_room(h);
		memmove(h->buckets + at + 1, h->buckets + at, (h->used - at) * sizeof(h->buckets[0]));
		h->buckets[at] = (struct histogram_bucket){.index = index};
		h->used++;
	}
	h->buckets[at].count += count;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	add_to_bucket(h, bucket_of(us), 1);
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
	for (uint32_t i = 0; i < from->used; i++)
		add_to_bucket(to, from->buckets[i].index, from->buckets[i].count);
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

static int decode(struct histogram *to, const unsigned char *data, size_t len)
{
	uint64_t index = UINT64_MAX; /* -1 */
	uint64_t step, count;

	for (size_t at = 0; at < len;) {
		size_t taken = leb128_get(data + at, len - at, &step);
		at += taken;
		if (taken == 0 || step == 0 || step > HISTOGRAM_BUCKETS)
			return -1;
		index += step;
		taken = leb128_get(data + at, len - at, &count);
		at += taken;
		if (taken == 0 || count == 0 || index >= HISTOGRAM_BUCKETS)
			return -1;
		add_to_bucket(to, (uint32_t)index, count);
	}
	return 0;
}

int histogram_merge_encoded(struct histogram *to, const void *data, size_t len, struct err *err)
{
	AUTO(histogram_free) struct histogram part = {0};
	const unsigned char *bytes = data;

	if (len == 0)
		return 0;
	if (bytes[0] != HISTOGRAM_FORMAT || decode(&part, bytes + 1, len - 1) < 0)
		return err_set(err, EPROTO, "%zu bytes are no histogram", len);
	histogram_merge(to, &part);
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
