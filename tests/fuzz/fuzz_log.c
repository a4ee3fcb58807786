/*
 * A log as it is stored, which nothing vouches for, told line by line. The input: the lengths of its times, its streams and its
 * levels, a byte each; how many bytes were lost, a byte; then times, streams, levels and log. All of the log is told, as
 * well-formed text in which nothing controls anything.
 */
#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "api/log_format.h"
#include "fuzz.h"

struct told {
	size_t lines, bytes, newlines; /* newlines: within lines */
};

static size_t count_byte(const char *text, size_t len, char wanted)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == wanted;
	return n;
}

static bool count(const struct log_line *line, void *arg)
{
	struct told *told = arg;

	told->lines++;
	told->newlines += count_byte(line->text.data, line->text.len, '\n');
	if (strcmp(line->level, "platform") != 0)
		told->bytes += line->text.len;
	return true;
}

static void check_text(const struct log_source *source, size_t newlines)
{
	AUTO(buf_free) struct buf out = {0};

	assert(log_format_text(source, 1, 0, &out) == 0); /* it is one page */
	assert(count_byte(buf_str(&out), out.len, '\n') == newlines);
	for (size_t i = 0; i < out.len; i++) {
		unsigned char c = (unsigned char)out.data[i];
		assert((c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t');
		assert(c != 0xc2 || (unsigned char)out.data[i + 1] >= 0xa0);
	}
	json_t *utf8 = json_stringn(buf_str(&out), out.len); /* refuses what is not UTF-8 */
	assert(utf8 != NULL);
	json_decref(utf8);
}

static void check_json(const struct log_source *source, size_t lines)
{
	AUTO(buf_free) struct buf out = {0};

	assert(log_format_json(source, 1, 0, &out) == 0);
	json_t *json = json_loadb(buf_str(&out), out.len, JSON_ALLOW_NUL, NULL);
	assert(json_array_size(json) == lines);
	json_decref(json);
}

static struct str take(const char **data, size_t *size, size_t n)
{
	struct str s = {*data, (uint32_t)MIN(n, *size)};

	*data += s.len;
	*size -= s.len;
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *data = (const char *)bytes + 4;
	struct told told = {0};

	if (size < 4)
		return 0;
	size -= 4;
	struct log_source s = {.requested_at_us = 1700000000000000, .error_code = "", .error_message = ""};
	s.times = take(&data, &size, bytes[0]);
	s.streams = take(&data, &size, bytes[1]);
	s.levels = take(&data, &size, bytes[2]);
	s.log = take(&data, &size, size);
	s.log_bytes = s.log.len + bytes[3];
	log_lines(&s, count, &told);
	assert(told.bytes - told.newlines == s.log.len - count_byte(s.log.data, s.log.len, '\n'));
	check_text(&s, told.lines + told.newlines);
	check_json(&s, told.lines);
	return 0;
}
