#include "worker/load.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

struct load {
	int fd;
	long processors;
};

struct load *load_new(void)
{
	struct load *l = mem_alloc(sizeof(*l));

	l->fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	l->processors = sysconf(_SC_NPROCESSORS_ONLN);
	return l;
}

void load_free(struct load **load)
{
	if (*load == NULL)
		return;
	fd_close(&(*load)->fd);
	mem_free(load);
}

/*
 * Format: "0.50 0.40 0.30 3/210 4711": three averages, the number of runnable processes, and the number of all. This process is
 * one of the runnable ones.
 */
bool load_has_idle(const struct load *l)
{
	char text[128];
	long running;

	ssize_t n = l->fd >= 0 ? pread(l->fd, text, sizeof(text) - 1, 0) : -1;
	if (n <= 0)
		return true;
	text[n] = '\0';
	return sscanf(text, "%*s %*s %*s %ld/", &running) != 1 || running <= l->processors;
}
