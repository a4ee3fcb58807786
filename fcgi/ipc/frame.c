#include "ipc/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const struct {
	const char *name;
	bool from_agent;
} types[] = {
	[FRAME_HELLO] = {"HELLO", true},           [FRAME_INIT] = {"INIT", false},     [FRAME_READY] = {"READY", true},
	[FRAME_INIT_ERROR] = {"INIT_ERROR", true}, [FRAME_INVOKE] = {"INVOKE", false}, [FRAME_RESULT] = {"RESULT", true},
	[FRAME_ERROR] = {"ERROR", true},
};

const char *frame_name(enum frame_type type)
{
	if ((size_t)type >= ARRAY_SIZE(types) || types[type].name == NULL)
		return "?";
	return types[type].name;
}

void frame_header(char header[FRAME_HEADER_SIZE], enum frame_type type, size_t payload_len)
{
	assert(payload_len <= UINT32_MAX);
	buf_put_u32(header, (uint32_t)payload_len);
	header[4] = (char)type;
}

void frame_encode(struct buf *out, enum frame_type type, const void *head, size_t head_len, const void *body, size_t body_len)
{
	char header[FRAME_HEADER_SIZE];

	frame_header(header, type, head_len + body_len);
	buf_add(out, header, sizeof(header));
	buf_add(out, head, head_len);
	buf_add(out, body, body_len);
}

ptrdiff_t frame_decode(const void *data, size_t len, size_t max_payload, struct frame *frame, struct err *err)
{
	const unsigned char *p = data;

	if (len < FRAME_HEADER_SIZE)
		return 0;
	size_t payload_len = buf_get_u32(p);
	unsigned type = p[4];
	if (type >= ARRAY_SIZE(types) || !types[type].from_agent)
		return err_set(err, EPROTO, "frame of type %u, which no agent may send", type);
	if (payload_len > max_payload)
		return err_set(err, EMSGSIZE, "%s frame of %zu bytes, limit %zu", types[type].name, payload_len, max_payload);
	if (len - FRAME_HEADER_SIZE < payload_len)
		return 0;

	frame->type = (enum frame_type)type;
	frame->payload = (const char *)p + FRAME_HEADER_SIZE;
	frame->len = payload_len;
	return (ptrdiff_t)(FRAME_HEADER_SIZE + payload_len);
}

int frame_split(const struct frame *frame, const char **meta, size_t *meta_len, const char **body, size_t *body_len,
		struct err *err)
{
	const char *newline = frame->len ? memchr(frame->payload, '\n', frame->len) : NULL;

	if (newline == NULL)
		return err_set(err, EPROTO, "%s frame without its line of JSON", frame_name(frame->type));
	*meta = frame->payload;
	*meta_len = (size_t)(newline - frame->payload);
	*body = newline + 1;
	*body_len = frame->len - *meta_len - 1;
	return 0;
}
