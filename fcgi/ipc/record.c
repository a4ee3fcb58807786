#include "ipc/record.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

static const struct field fields[] = {
#define RECORD_FIELD(field, type) {FIELD_##type, offsetof(struct record, field)},
#include "ipc/record.def"
#undef RECORD_FIELD
};

uint64_t record_overhead_us(const struct record *record)
{
	uint64_t known_us = record->queue_us + record->init_us + record->exec_us;

	return record->response_us > known_us ? record->response_us - known_us : 0;
}

bool record_file_key(const char *name, const char *suffix, struct uuid *key)
{
	char text[UUID_TEXT_SIZE] = "";

	if (strlen(name) < UUID_TEXT_SIZE - 1 || strcmp(name + UUID_TEXT_SIZE - 1, suffix) != 0)
		return false;
	memcpy(text, name, UUID_TEXT_SIZE - 1);
	return uuid_parse(text, key);
}

static uint64_t checksum(const void *data, size_t len, const struct uuid *key)
{
	unsigned char hash[crypto_shorthash_BYTES];

	static_assert(sizeof(key->bytes) == crypto_shorthash_KEYBYTES, "a uuid is a key");
	crypto_shorthash(hash, data, len, key->bytes);
	return buf_get_u64(hash);
}

void record_encode(const struct record *record, const struct uuid *key, struct buf *out)
{
	size_t start = out->len;

	buf_add_u32(out, RECORD_MAGIC);
	buf_add_u32(out, 0); /* length and checksum are known once the payload is there */
	buf_add_u64(out, 0);
	fields_encode(fields, ARRAY_SIZE(fields), record, out);

	char *header = out->data + start;
	size_t payload_len = out->len - start - RECORD_HEADER_SIZE;
	buf_put_u32(header + 4, (uint32_t)payload_len);
	buf_put_u64(header + 8, checksum(header + RECORD_HEADER_SIZE, payload_len, key));
}

ptrdiff_t record_decode(const void *data, size_t len, const struct uuid *key, struct record *record, struct err *err)
{
	const char *p = data;

	if (len < RECORD_HEADER_SIZE)
		return 0;
	if (buf_get_u32(p) != RECORD_MAGIC)
		return err_set(err, EPROTO, "no record header");
	size_t payload_len = buf_get_u32(p + 4);
	if (payload_len > RECORD_MAX_SIZE)
		return err_set(err, EMSGSIZE, "record of %zu bytes", payload_len);
	if (len - RECORD_HEADER_SIZE < payload_len)
		return 0;
	const char *payload = p + RECORD_HEADER_SIZE;
	if (buf_get_u64(p + 8) != checksum(payload, payload_len, key))
		return err_set(err, EPROTO, "record with a wrong checksum");
	if (fields_decode(fields, ARRAY_SIZE(fields), payload, payload_len, record) < 0)
		return err_set(err, EPROTO, "record that does not decode");
	return (ptrdiff_t)(RECORD_HEADER_SIZE + payload_len);
}

size_t record_resync(const void *data, size_t len)
{
	const char *p = data;

	for (size_t i = 1; i + 4 <= len; i++)
		if (buf_get_u32(p + i) == RECORD_MAGIC)
			return i;
	return len;
}
