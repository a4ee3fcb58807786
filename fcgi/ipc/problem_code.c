#include "ipc/problem_code.h"

#include <assert.h>
#include <string.h>

static const struct row {
	const char *name;
	int status;
	uint32_t retry_after_s;
	const char *title, *help;
} rows[PROBLEM_COUNT] = {
#define PROBLEM(NAME, code, status, retry_after_s, title, help) [PROBLEM_##NAME] = {#code, status, retry_after_s, title, help},
#include "ipc/problem.def"
};

static const struct row *row_of(enum problem_code code)
{
	assert(problem_exists(code));
	return &rows[code];
}

const char *problem_name(enum problem_code code)
{
	return row_of(code)->name;
}

int problem_status(enum problem_code code)
{
	return row_of(code)->status;
}

uint32_t problem_retry_after_s(enum problem_code code)
{
	return row_of(code)->retry_after_s;
}

const char *problem_title(enum problem_code code)
{
	return row_of(code)->title;
}

const char *problem_help(enum problem_code code)
{
	return row_of(code)->help;
}

enum problem_code problem_find(const char *name, size_t len)
{
	unsigned code = 0;

	while (code < PROBLEM_COUNT && (strlen(rows[code].name) != len || memcmp(rows[code].name, name, len) != 0))
		code++;
	return (enum problem_code)code;
}

bool problem_exists(unsigned code)
{
	return code < PROBLEM_COUNT;
}

static const struct {
	const char *name, *text;
} reasons[THROTTLED_COUNT] = {
	[THROTTLED_NONE] = {"", ""},
#define THROTTLED(NAME, reason, text) [THROTTLED_##NAME] = {#reason, text},
#include "ipc/problem.def"
};

const char *throttled_name(enum throttled reason)
{
	return reasons[reason].name;
}

const char *throttled_text(enum throttled reason)
{
	return reasons[reason].text;
}

bool throttled_exists(unsigned reason)
{
	return reason < THROTTLED_COUNT;
}
