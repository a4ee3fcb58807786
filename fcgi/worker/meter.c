#include "worker/meter.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"

/* The start of a file of a cgroup, as text; "" when there is none. */
static void read_text(int fd, char *text, size_t size)
{
	ssize_t n = fd >= 0 ? pread(fd, text, size - 1, 0) : 0;

	text[n > 0 ? n : 0] = '\0';
}

static int64_t number(const char *text, int64_t otherwise)
{
	return text[0] >= '0' && text[0] <= '9' ? strtoll(text, NULL, 10) : otherwise;
}

/* The number after a word at the start of a line. */
static int64_t number_after(const char *text, const char *word, int64_t otherwise)
{
	size_t len = strlen(word);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, word, len) == 0)
			return number(line + len, otherwise);
	}
	return otherwise;
}

/* v1's cpuacct.usage is a number of nanoseconds, v2's cpu.stat has lines. -1: neither. */
static int64_t read_cpu_us(int fd)
{
	char text[256];

	read_text(fd, text, sizeof(text));
	int64_t ns = number(text, -1);
	return ns >= 0 ? ns / 1000 : number_after(text, "usage_usec ", -1);
}

static int64_t read_oom_kills(int fd)
{
	char text[256];

	read_text(fd, text, sizeof(text));
	return number_after(text, "oom_kill ", 0);
}

/*
 * Whether what was read last is still true. A process may have been killed for a lack of memory in an invocation that went well
 * all the same; but then that one has come close to the limit.
 */
static bool is_fresh(const struct meter *m, int64_t now_us)
{
	return m->ended_us != 0 && now_us - m->ended_us < METER_GAP_US && m->cpu_us >= 0 &&
	       m->memory_bytes < m->limit_bytes / 16 * 15;
}

void meter_begin(struct meter *m, int64_t now_us)
{
	if (is_fresh(m, now_us)) {
		m->cpu_start_us += m->cpu_us;
	} else {
		m->cpu_start_us = read_cpu_us(m->cpu_fd);
		m->oom_start = read_oom_kills(m->oom_fd);
	}
	m->cpu_us = m->memory_bytes = 0;
	if (m->memory_fd >= 0 && pwrite(m->memory_fd, "0", 1, 0) < 0)
		return; /* it counts from the sandbox's start then */
}

void meter_read(struct meter *m, int64_t now_us)
{
	char text[64];

	int64_t cpu_us = read_cpu_us(m->cpu_fd);
	m->cpu_us = cpu_us >= 0 && m->cpu_start_us >= 0 ? MAX(cpu_us - m->cpu_start_us, 0) : -1;
	read_text(m->memory_fd, text, sizeof(text));
	m->memory_bytes = number(text, 0);
	m->ended_us = now_us;
}

bool meter_out_of_memory(const struct meter *m)
{
	return read_oom_kills(m->oom_fd) > m->oom_start;
}
