#include "ipc/cgroup_fds.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LITTLE_US    20000
#define LITTLE_SHARE 8 /* restless above 1/LITTLE_SHARE of a processor */

void cgroup_read_text(int fd, char *text, size_t size)
{
	ssize_t n = fd >= 0 ? pread(fd, text, size - 1, 0) : 0;

	text[n > 0 ? n : 0] = '\0';
}

int64_t cgroup_number(const char *text, int64_t otherwise)
{
	return text[0] >= '0' && text[0] <= '9' ? strtoll(text, NULL, 10) : otherwise;
}

int64_t cgroup_number_after(const char *text, const char *word, int64_t otherwise)
{
	size_t len = strlen(word);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, word, len) == 0)
			return cgroup_number(line + len, otherwise);
	}
	return otherwise;
}

/* v1's cpuacct.usage is a number of nanoseconds, v2's cpu.stat has lines. */
int64_t cgroup_cpu_us(int fd)
{
	char text[256];

	cgroup_read_text(fd, text, sizeof(text));
	int64_t ns = cgroup_number(text, -1);
	return ns >= 0 ? ns / 1000 : cgroup_number_after(text, "usage_usec ", -1);
}

bool cgroup_is_restless(int64_t cpu_us, int64_t elapsed_us)
{
	return cpu_us > LITTLE_US + elapsed_us / LITTLE_SHARE;
}
