#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static int64_t now_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

int clock_left_ms(int64_t deadline_us)
{
	int64_t left_us = deadline_us - clock_mono_us();

	if (left_us <= 0)
		return 0;
	int64_t left_ms = (left_us + 999) / 1000;
	return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

#define SECONDS_SIZE 22

static const char *format_seconds(int64_t wall_us, char out[SECONDS_SIZE])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(out, SECONDS_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	return out;
}

void clock_format_utc(int64_t wall_us, char *out)
{
	char seconds[SECONDS_SIZE];

	snprintf(out, CLOCK_TEXT_SIZE, "%s.%03dZ", format_seconds(wall_us, seconds), (int)(wall_us / 1000 % 1000));
}

void clock_format_utc_us(int64_t wall_us, char *out)
{
	char seconds[SECONDS_SIZE];

	snprintf(out, CLOCK_TEXT_SIZE, "%s.%06dZ", format_seconds(wall_us, seconds), (int)(wall_us % 1000000));
}

/* Parses the digits after the decimal point as microseconds; further digits are ignored. Returns where they end. */
static const char *parse_fraction(const char *text, int64_t *us)
{
	int64_t unit = 100000;

	for (*us = 0; *text >= '0' && *text <= '9'; text++, unit /= 10)
		*us += (*text - '0') * unit;
	return text;
}

/* Parses "Z", "+01:00" or "-01:00", which must be the end of the text. */
static bool parse_offset(const char *text, int64_t *offset_us)
{
	int hours, minutes, length = 0;

	*offset_us = 0;
	if (strcasecmp(text, "z") == 0)
		return true;
	if (sscanf(text, "%*1[+-]%2d:%2d%n", &hours, &minutes, &length) != 2 || length != 6 || text[6] != '\0')
		return false;
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return false;
	*offset_us = (hours * 60ll + minutes) * 60000000ll * (*text == '-' ? -1 : 1);
	return true;
}

/* timegm(3) takes February 30 for March 1 or 2. */
static bool is_day(const struct tm *tm)
{
	struct tm date = {.tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday};

	timegm(&date);
	return date.tm_mday == tm->tm_mday;
}

bool clock_parse(const char *text, int64_t *wall_us)
{
	int64_t fraction_us = 0, offset_us;
	struct tm tm = {0};
	size_t digits = strspn(text, "0123456789");

	if (digits > 0 && digits <= 11 && text[digits] == '\0') {
		*wall_us = strtoll(text, NULL, 10) * 1000000;
		return true;
	}
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL || digits != 4 || !is_day(&tm))
		return false;
	if (*rest == '.')
		rest = parse_fraction(rest + 1, &fraction_us);
	if (!parse_offset(rest, &offset_us))
		return false;
	*wall_us = (int64_t)timegm(&tm) * 1000000 + fraction_us - offset_us;
	return true;
}
