#include "http/response.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/trim.h"
#include "http/request.h"

void response_begin(struct response *r, const struct request *request)
{
	buf_reset(&r->headers);
	buf_reset(&r->out);
	r->request = request;
	r->status = 0;
	r->body_len = 0;
	r->borrowed_count = 0;
}

void response_trim(struct response *r)
{
	r->borrowed_count = 0;
	trim_buf(&r->headers);
	trim_buf(&r->out);
	r->request = NULL;
}

void response_free(struct response *r)
{
	buf_free(&r->headers);
	buf_free(&r->out);
}

void response_header(struct response *r, const char *name, const char *value, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, value);
	vsnprintf(text, sizeof(text), value, ap);
	va_end(ap);
	response_header_text(r, name, text);
}

void response_header_text(struct response *r, const char *name, const char *value)
{
	buf_add_str(&r->headers, name);
	buf_add_str(&r->headers, ": ");
	size_t from = r->headers.len;
	buf_add_str(&r->headers, value);
	for (size_t i = from; i < r->headers.len; i++)
		if ((unsigned char)r->headers.data[i] < 0x20 || r->headers.data[i] == 0x7f)
			r->headers.data[i] = ' ';
	buf_add_str(&r->headers, "\r\n");
}

/* Everything up to the empty line. */
static void begin_output(struct response *r, int status)
{
	assert(r->status == 0); /* the request was answered twice */
	r->status = status;
	buf_add_str(&r->out, "Status: ");
	buf_add_decimal(&r->out, (uint64_t)status);
	buf_add_str(&r->out, "\r\nX-Request-Id: ");
	buf_add_str(&r->out, r->request->id);
	buf_add_str(&r->out, "\r\nCache-Control: no-store\r\n");
	buf_add(&r->out, r->headers.data, r->headers.len);
}

static void begin_body(struct response *r, int status, const char *content_type, const struct str *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		r->body_len += parts[i].len;
	begin_output(r, status);
	buf_add_str(&r->out, "Content-Type: ");
	buf_add_str(&r->out, content_type);
	buf_add_str(&r->out, "\r\nContent-Length: ");
	buf_add_decimal(&r->out, r->body_len);
	buf_add_str(&r->out, "\r\n\r\n");
}

void response_borrow(struct response *r, int status, const char *content_type, const struct str *parts, size_t count)
{
	assert(count <= RESPONSE_BORROWED_MAX);
	begin_body(r, status, content_type, parts, count);
	memcpy(r->borrowed, parts, count * sizeof(parts[0]));
	r->borrowed_count = count;
}

size_t response_parts(const struct response *r, struct str parts[RESPONSE_PARTS_MAX])
{
	parts[0] = (struct str){buf_str(&r->out), (uint32_t)r->out.len};
	memcpy(parts + 1, r->borrowed, r->borrowed_count * sizeof(parts[0]));
	return 1 + r->borrowed_count;
}

void response_body(struct response *r, int status, const char *content_type, const struct str *parts, size_t count)
{
	begin_body(r, status, content_type, parts, count);
	buf_reserve(&r->out, r->body_len);
	for (size_t i = 0; i < count; i++)
		buf_add(&r->out, parts[i].data, parts[i].len);
}

static int add_chunk(const char *data, size_t len, void *to)
{
	buf_add(to, data, len);
	return 0;
}

void response_json(struct response *r, int status, const char *content_type, const json_t *json)
{
	AUTO(buf_free) struct buf text = {0};

	/* 15 digits: 0.1 is written as 0.1. */
	json_dump_callback(json, add_chunk, &text, JSON_COMPACT | JSON_REAL_PRECISION(15));
	response_body(r, status, content_type, &(struct str){buf_str(&text), (uint32_t)text.len}, 1);
}

void response_no_content(struct response *r)
{
	begin_output(r, 204);
	buf_add_str(&r->out, "\r\n");
}
