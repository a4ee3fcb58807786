#include "api/memory.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/trim.h"

/* Free memory in small pieces that the process may hold before it is returned to the system. */
#define TOLERATED_BYTES (2u << 20)

/* Without this jansson would report JSON as invalid when memory runs out; like every other allocation it ends the process. */
static void *json_memory(size_t size)
{
	return mem_realloc(NULL, size);
}

int memory_bound(const struct conf *conf, struct err *err)
{
	json_set_alloc_funcs(json_memory, free);
	/* A fixed threshold disables glibc's dynamic one, so that large buffers are always returned to the system. */
	mallopt(M_MMAP_THRESHOLD, TRIM_ABOVE);
#ifndef __SANITIZE_ADDRESS__ /* AddressSanitizer needs terabytes of addresses */
	struct rlimit limit = {.rlim_cur = (rlim_t)conf->control_memory_mb << 20};
	limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_AS, &limit) < 0)
		return err_set(err, errno, "limit the memory to %lld MB", (long long)conf->control_memory_mb);
#else
	(void)conf, (void)err;
#endif
	return 0;
}

void memory_trim(void)
{
	if (mallinfo2().fordblks > TOLERATED_BYTES)
		malloc_trim(0);
}
