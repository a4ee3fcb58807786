#include "base/fields.h"

void fields_encode(const struct field *fields, size_t count, const void *from, struct buf *out)
{
	for (const struct field *f = fields; f < fields + count; f++) {
		const void *value = (const char *)from + f->offset;
		const struct str *str = value;
		switch (f->type) {
		case FIELD_U8:
			buf_add(out, value, 1);
			break;
		case FIELD_U32:
			buf_add_u32(out, *(const uint32_t *)value);
			break;
		case FIELD_U64:
			buf_add_u64(out, *(const uint64_t *)value);
			break;
		case FIELD_STR:
			buf_add_u32(out, str->len);
			buf_add(out, str->data, str->len);
			break;
		case FIELD_UUID:
			buf_add(out, value, sizeof(struct uuid));
			break;
		}
	}
}

/* Consumes the next n bytes; NULL when there are fewer. */
static const char *take(const char **p, const char *end, size_t n)
{
	const char *at = *p;

	if ((size_t)(end - at) < n)
		return NULL;
	*p += n;
	return at;
}

static int decode_field(enum field_type type, const char **p, const char *end, void *value)
{
	static const size_t sizes[] = {
		[FIELD_U8] = 1, [FIELD_U32] = 4, [FIELD_U64] = 8, [FIELD_STR] = 4, [FIELD_UUID] = sizeof(struct uuid)};
	const char *at = take(p, end, sizes[type]);
	struct str *str = value;

	if (at == NULL)
		return -1;
	switch (type) {
	case FIELD_U8:
	case FIELD_UUID:
		memcpy(value, at, sizes[type]);
		return 0;
	case FIELD_U32:
		*(uint32_t *)value = buf_get_u32(at);
		return 0;
	case FIELD_U64:
		*(uint64_t *)value = buf_get_u64(at);
		return 0;
	case FIELD_STR:
		str->len = buf_get_u32(at);
		str->data = take(p, end, str->len);
		return str->data == NULL ? -1 : 0;
	}
	return -1;
}

int fields_decode(const struct field *fields, size_t count, const void *data, size_t len, void *to)
{
	const char *p = data, *end = p + len;

	for (const struct field *f = fields; f < fields + count; f++)
		if (decode_field(f->type, &p, end, (char *)to + f->offset) < 0)
			return -1;
	return p == end ? 0 : -1;
}
