#include "base/uuid.h"

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"

/* Random bytes are drawn in batches: one system call serves many ids. */
static void random_bytes(unsigned char *out, size_t len)
{
	static unsigned char pool[1024];
	static size_t used = sizeof(pool);

	if (used + len > sizeof(pool)) {
		randombytes_buf(pool, sizeof(pool));
		used = 0;
	}
	memcpy(out, pool + used, len);
	used += len;
}

struct uuid uuid_new(void)
{
	struct uuid u;
	uint64_t ms = (uint64_t)(clock_wall_us() / 1000);

	random_bytes(u.bytes, sizeof(u.bytes));
	for (int i = 0; i < 6; i++)
		u.bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
	u.bytes[6] = (u.bytes[6] & 0x0f) | 0x70;
	u.bytes[8] = (u.bytes[8] & 0x3f) | 0x80;
	return u;
}

static bool is_dash_position(int i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	int byte = 0;

	for (int i = 0; i < UUID_TEXT_SIZE - 1; i++) {
		if (is_dash_position(i)) {
			out[i] = '-';
			continue;
		}
		out[i] = hex[u->bytes[byte] >> 4];
		out[++i] = hex[u->bytes[byte] & 15];
		byte++;
	}
	out[UUID_TEXT_SIZE - 1] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool uuid_parse(const char *text, struct uuid *u)
{
	struct uuid parsed;
	int nibbles = 0;

	if (strlen(text) != UUID_TEXT_SIZE - 1)
		return false;
	for (int i = 0; i < UUID_TEXT_SIZE - 1; i++) {
		if (is_dash_position(i)) {
			if (text[i] != '-')
				return false;
			continue;
		}
		int v = hex_value(text[i]);
		if (v < 0)
			return false;
		unsigned char *byte = &parsed.bytes[nibbles / 2];
		*byte = nibbles % 2 == 0 ? (unsigned char)(v << 4) : (unsigned char)(*byte | v);
		nibbles++;
	}
	*u = parsed;
	return true;
}
