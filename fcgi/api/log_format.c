#include "api/log_format.h"

#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

/* Is put behind newlines within a line in text. */
#define INDENTATION "    "

struct writer {
	struct buf *out;
	size_t start;    /* length of out at the start of the page */
	struct buf text; /* the current line, as UTF-8 */
	uint64_t from, line, next;
	bool continues; /* whether the line written last continues */
};

static void writer_clear(struct writer *w)
{
	buf_free(&w->text);
}

/* Whether the line belongs to the page; w->text is then its text and at its time. */
static bool take_line(struct writer *w, const struct log_line *line, char at[CLOCK_TEXT_SIZE])
{
	if (w->line < w->from)
		return false;
	if (w->line - w->from == LOG_PAGE_LINES || w->out->len - w->start >= LOG_PAGE_BYTES) {
		w->next = w->line;
		return false;
	}
	buf_reset(&w->text);
	utf8_repair(&w->text, line->text.data, line->text.len);
	clock_format_utc(line->at_us, at);
	return true;
}

/* Called after each line. Returns whether to continue. */
static bool go_on(struct writer *w, const struct log_line *line)
{
	w->continues = line->continues;
	w->line++;
	return w->next == 0;
}

/*
 * The length of the control character that begins at p, in well-formed UTF-8; 0 when there is none. U+0080..U+009F control a
 * terminal, too.
 */
static size_t control_len(const unsigned char *p)
{
	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	return p[0] == 0xc2 && p[1] < 0xa0 ? 2 : 0;
}

/* Copies the text, which ends with NUL; control characters and the characters of special are passed to escape instead. */
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
	else if (c == '\n')
		buf_add_str(out, "\\n");
	else
		buf_printf(out, "\\u%04x", c);
}

static void escape_text(struct buf *out, unsigned c)
{
	if (c == '\t')
		buf_add_str(out, "\t");
	else if (c == '\n')
		buf_add_str(out, "\n" INDENTATION);
	else
		buf_printf(out, "\\x%02x", c);
}

static bool add_json(const struct log_line *line, void *arg)
{
	struct writer *w = arg;
	char at[CLOCK_TEXT_SIZE];

	if (take_line(w, line, at)) {
		buf_printf(w->out, "%s{\"at\":\"%s\",\"level\":\"%s\",\"text\":\"", w->line > w->from ? "," : "", at,
			   line->level);
		add_escaped(w->out, &w->text, "\"\\", escape_json);
		buf_printf(w->out, "\"%s%s}", line->late ? ",\"late\":true" : "", line->continues ? ",\"continues\":true" : "");
	}
	return go_on(w, line);
}

static uint64_t write_page(struct writer *w, const struct log_source *parts, size_t count,
			   bool (*add)(const struct log_line *line, void *arg))
{
	for (size_t i = 0; i < count && w->next == 0; i++)
		log_lines(&parts[i], add, w);
	return w->next;
}

uint64_t log_format_json(const struct log_source *parts, size_t count, uint64_t from, struct buf *out)
{
	AUTO(writer_clear) struct writer w = {.out = out, .start = out->len, .from = from};

	buf_add_str(out, "[");
	uint64_t next = write_page(&w, parts, count, add_json);
	buf_add_str(out, "]");
	return next;
}

/* The pieces of a line are joined, as far as they are on one page. */
static bool add_text(const struct log_line *line, void *arg)
{
	struct writer *w = arg;
	char at[CLOCK_TEXT_SIZE];

	if (take_line(w, line, at)) {
		if (!w->continues || w->line == w->from)
			buf_printf(w->out, "%s %-8s %s", at, line->level, line->late ? "(late) " : "");
		add_escaped(w->out, &w->text, "", escape_text);
		if (!line->continues)
			buf_add_str(w->out, "\n");
	} else if (w->continues && w->line > w->from) {
		buf_add_str(w->out, "\n");
	}
	return go_on(w, line);
}

uint64_t log_format_text(const struct log_source *parts, size_t count, uint64_t from, struct buf *out)
{
	AUTO(writer_clear) struct writer w = {.out = out, .start = out->len, .from = from};

	return write_page(&w, parts, count, add_text);
}
