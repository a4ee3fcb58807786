#include "worker/log_format.h"

#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

struct writer {
	struct buf *out;
	struct buf text; /* of the line in hand, as UTF-8 */
	bool any;
};

static void writer_clear(struct writer *w)
{
	buf_free(&w->text);
}

static void take_text(struct writer *w, const struct log_line *line)
{
	buf_reset(&w->text);
	utf8_repair(&w->text, line->text.data, line->text.len);
}

/* How many bytes of well-formed UTF-8 are a control character that begins at p: U+0080..U+009F, too, control a terminal. */
static size_t control_len(const unsigned char *p)
{
	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	return p[0] == 0xc2 && p[1] < 0xa0 ? 2 : 0;
}

/* Copies the text, which ends in NUL, but for control characters and those of special, which take their turn with escape. */
static void add_escaped(struct buf *out, const struct buf *text, const char *special,
			void (*escape)(struct buf *out, unsigned c))
{
	const unsigned char *data = (const unsigned char *)buf_str(text);
	size_t copied = 0, len;

	for (size_t i = 0; i < text->len; i += len) {
		size_t control = control_len(data + i);
		len = control > 0 ? control : 1;
		if (control == 0 && strchr(special, data[i]) == NULL)
			continue;
		buf_add(out, data + copied, i - copied);
		escape(out, data[i + len - 1]);
		copied = i + len;
	}
	buf_add(out, data + copied, text->len - copied);
}

static void escape_json(struct buf *out, unsigned c)
{
	if (c == '"' || c == '\\')
		buf_printf(out, "\\%c", (int)c);
	else
		buf_printf(out, "\\u%04x", c);
}

static void escape_text(struct buf *out, unsigned c)
{
	if (c == '\t')
		buf_add_str(out, "\t");
	else
		buf_printf(out, "\\x%02x", c);
}

static void add_json(const struct log_line *line, void *arg)
{
	struct writer *w = arg;
	char at[CLOCK_TEXT_SIZE];

	clock_format_utc(line->at_us, at);
	take_text(w, line);
	buf_printf(w->out, "%s{\"at\":\"%s\",\"level\":\"%s\",\"text\":\"", w->any ? "," : "", at, line->level);
	add_escaped(w->out, &w->text, "\"\\", escape_json);
	buf_add_str(w->out, "\"}");
	w->any = true;
}

void log_format_json(const struct log_source *source, struct buf *out)
{
	AUTO(writer_clear) struct writer w = {.out = out};

	buf_add_str(out, "[");
	log_lines(source, add_json, &w);
	buf_add_str(out, "]");
}

static void add_text(const struct log_line *line, void *arg)
{
	struct writer *w = arg;
	char at[CLOCK_TEXT_SIZE];

	clock_format_utc(line->at_us, at);
	take_text(w, line);
	buf_printf(w->out, "%s %-8s ", at, line->level);
	add_escaped(w->out, &w->text, "", escape_text);
	buf_add_str(w->out, "\n");
}

void log_format_text(const struct log_source *source, struct buf *out)
{
	AUTO(writer_clear) struct writer w = {.out = out};

	log_lines(source, add_text, &w);
}
