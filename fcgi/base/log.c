#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

#define LINE_SIZE    2048
#define MESSAGE_SIZE 1024
#define CONTEXT_SIZE 320 /* length of a request id or a sandbox id, escaped */

#define NAME_OF(NAME, name) name,
static const char *const level_names[LOG_LEVEL_COUNT] = {LOG_LEVELS(NAME_OF)};
#undef NAME_OF

static char process_name[32] = "berthd";
static char request[80];
static enum log_level least_level = LOG_INFO;

int log_level_parse(const char *name)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		if (strcmp(level_names[i], name) == 0)
			return i;
	return -1;
}

void log_init(const char *process, enum log_level least)
{
	snprintf(process_name, sizeof(process_name), "%s", process);
	least_level = least;
}

bool log_is_on(enum log_level level)
{
	return level >= least_level;
}

void log_set_request(const char *request_id)
{
	snprintf(request, sizeof(request), "%s", request_id ? request_id : "");
}

/*
 * Appends key="value", at most max bytes, and escapes everything that could break the line; returns the new length. An
 * incomplete character at the end of value, cut off here or earlier, is left out.
 */
static size_t add_quoted(char *line, size_t len, size_t max, const char *key, const char *value)
{
	static const char hex[] = "0123456789abcdef";
	size_t room = MIN(len + max, LINE_SIZE - 2); /* for the closing quote and the newline */

	len += (size_t)snprintf(line + len, LINE_SIZE - len, " %s=\"", key);
	for (const unsigned char *p = (const unsigned char *)value; *p != '\0' && len + 4 < room; p++) {
		if (*p == '"' || *p == '\\') {
			line[len++] = '\\';
			line[len++] = (char)*p;
		} else if (*p < 0x20 || *p == 0x7f) {
			line[len++] = '\\';
			line[len++] = 'x';
			line[len++] = hex[*p >> 4];
			line[len++] = hex[*p & 15];
		} else {
			line[len++] = (char)*p;
		}
	}
	len = err_end_whole(line, len);
	line[len++] = '"';
	return len;
}

static PRINTF_LIKE(3, 0) void write_line(enum log_level level, const char *sandbox_id, const char *fmt, va_list ap)
{
	char line[LINE_SIZE], message[MESSAGE_SIZE], ts[CLOCK_TEXT_SIZE];

	vsnprintf(message, sizeof(message), fmt, ap);
	clock_format_utc(clock_wall_us(), ts);
	size_t len = (size_t)snprintf(line, sizeof(line), "ts=%s level=%s proc=%s pid=%d", ts, level_names[level], process_name,
				      (int)getpid());
	if (request[0] != '\0')
		len = add_quoted(line, len, CONTEXT_SIZE, "req", request);
	if (sandbox_id != NULL)
		len = add_quoted(line, len, CONTEXT_SIZE, "sandbox", sandbox_id);
	len = add_quoted(line, len, LINE_SIZE, "msg", message);
	line[len++] = '\n';
	(void)!write(STDERR_FILENO, line, len);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_is_on(level))
		return;
	va_start(ap, fmt);
	write_line(level, NULL, fmt, ap);
	va_end(ap);
}

void log_sandbox(enum log_level level, const char *sandbox_id, const char *fmt, ...)
{
	va_list ap;

	if (!log_is_on(level))
		return;
	va_start(ap, fmt);
	write_line(level, sandbox_id, fmt, ap);
	va_end(ap);
}
