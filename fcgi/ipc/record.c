#include "ipc/record.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

/* The fields that are written. */
static const struct field fields[] = {
#define RECORD_FIELD(field, type, since) {FIELD_##type, offsetof(struct record, field)},
#define RECORD_FORMER(field, type, since, last)
#include "ipc/record.def"
#undef RECORD_FIELD
#undef RECORD_FORMER
};

/* The fields that are read, and the versions that have them. */
static const struct {
	struct field field;
	uint32_t since, last;
} read_fields[] = {
#define RECORD_FIELD(field, type, since)        {{FIELD_##type, offsetof(struct record, field)}, since, RECORD_VERSION},
#define RECORD_FORMER(field, type, since, last) {{FIELD_##type, offsetof(struct record, field)}, since, last},
#include "ipc/record.def"
#undef RECORD_FIELD
#undef RECORD_FORMER
};

static int decode_fields(uint32_t version, const void *payload, size_t len, struct record *record)
{
	struct field of_version[ARRAY_SIZE(read_fields)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(read_fields); i++)
		if (read_fields[i].since <= version && version <= read_fields[i].last)
			of_version[count++] = read_fields[i].field;
	return fields_decode(of_version, count, payload, len, record);
}

/* Makes today's fields of those that only older versions have. */
static void translate(uint32_t version, struct record *record)
{
	if (version < 7)
		record->start_kind = (uint8_t)start_kind_find(record->start_name.data, record->start_name.len);
	record->start_name = (struct str){0};
	record->orphan_bytes = 0;
}

bool record_is_invocation(const struct record *record)
{
	static const struct uuid none;

	return memcmp(&record->invocation_id, &none, sizeof(none)) != 0 && !record_is_late(record);
}

bool record_is_late(const struct record *record)
{
	return record->late_for_us != 0;
}

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

bool record_spool_key(const char *name, struct uuid *key)
{
	static const char *const suffixes[] = {
		[5] = ".spool", [6] = ".6.spool", [7] = ".7.spool", [8] = ".8.spool", [RECORD_VERSION] = RECORD_FILE_SUFFIX};

	for (int version = RECORD_OLDEST; version <= RECORD_VERSION; version++)
		if (record_file_key(name, suffixes[version], key))
			return true;
	return false;
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

	buf_add_u32(out, RECORD_MAGIC(RECORD_VERSION));
	buf_add_u32(out, 0); /* length and checksum are filled in when the payload is complete */
	buf_add_u64(out, 0);
	fields_encode(fields, ARRAY_SIZE(fields), record, out);

	char *header = out->data + start;
	size_t payload_len = out->len - start - RECORD_HEADER_SIZE;
	buf_put_u32(header + 4, (uint32_t)payload_len);
	buf_put_u64(header + 8, checksum(header + RECORD_HEADER_SIZE, payload_len, key));
}

uint32_t record_version(const void *data)
{
	uint32_t version = buf_get_u32(data) ^ RECORD_MAGIC(0);

	return version >= RECORD_OLDEST && version <= RECORD_VERSION ? version : 0;
}

ptrdiff_t record_decode(const void *data, size_t len, const struct uuid *key, struct record *record, struct err *err)
{
	const char *p = data;

	if (len < RECORD_HEADER_SIZE)
		return 0;
	uint32_t version = record_version(p);
	if (version == 0)
		return err_set(err, EPROTO, "no record header");
	size_t payload_len = buf_get_u32(p + 4);
	if (payload_len > RECORD_MAX_SIZE)
		return err_set(err, EMSGSIZE, "record of %zu bytes", payload_len);
	if (len - RECORD_HEADER_SIZE < payload_len)
		return 0;
	const char *payload = p + RECORD_HEADER_SIZE;
	if (buf_get_u64(p + 8) != checksum(payload, payload_len, key))
		return err_set(err, EPROTO, "record with a wrong checksum");
	*record = (struct record){0};
	if (decode_fields(version, payload, payload_len, record) < 0)
		return err_set(err, EPROTO, "record that does not decode");
	translate(version, record);
	if (record->start_kind >= IPC_START_COUNT)
		return err_set(err, EPROTO, "record with a start of no kind");
	return (ptrdiff_t)(RECORD_HEADER_SIZE + payload_len);
}

size_t record_resync(const void *data, size_t len)
{
	const char *p = data;

	for (size_t i = 1; i + 4 <= len; i++)
		if (record_version(p + i) != 0)
			return i;
	return len;
}
