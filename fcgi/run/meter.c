#include "run/meter.h"

#include <unistd.h>

#include "base/defs.h"
#include "ipc/cgroup_fds.h"

static int64_t read_oom_kills(int fd)
{
	char text[256];

	cgroup_read_text(fd, text, sizeof(text));
	return cgroup_number_after(text, "oom_kill ", 0);
}

/*
 * Whether the latest reading is still valid. A process may have been OOM-killed in an invocation that nevertheless succeeded,
 * but then its memory came close to the limit.
 */
static bool is_fresh(const struct meter *m, int64_t now_us)
{
	return m->ended_us != 0 && now_us - m->ended_us < METER_GAP_US && m->cpu_us >= 0 &&
	       m->memory_bytes < m->limit_bytes / 16 * 15;
}

void meter_begin(struct meter *m, int64_t now_us)
{
	m->background_us = 0;
	if (is_fresh(m, now_us)) {
		m->cpu_start_us = m->cpu_read_us;
	} else {
		m->cpu_start_us = cgroup_cpu_us(m->cpu_fd);
		m->oom_start = read_oom_kills(m->oom_fd);
		if (m->cpu_read_us >= 0 && m->cpu_start_us > m->cpu_read_us)
			m->background_us = m->cpu_start_us - m->cpu_read_us;
		if (m->ended_us != 0 && cgroup_is_restless(m->background_us, now_us - m->ended_us))
			m->restless = true;
	}
	m->cpu_us = m->memory_bytes = 0;
	if (m->memory_fd >= 0 && pwrite(m->memory_fd, "0", 1, 0) < 0)
		return; /* the peak then counts from the sandbox's start */
}

void meter_read(struct meter *m, int64_t now_us)
{
	char text[64];

	int64_t cpu_us = cgroup_cpu_us(m->cpu_fd);
	m->cpu_us = cpu_us >= 0 && m->cpu_start_us >= 0 ? MAX(cpu_us - m->cpu_start_us, 0) : -1;
	m->cpu_read_us = cpu_us;
	cgroup_read_text(m->memory_fd, text, sizeof(text));
	m->memory_bytes = MIN(cgroup_number(text, 0), m->limit_bytes);
	m->ended_us = now_us;
}

bool meter_out_of_memory(const struct meter *m)
{
	return read_oom_kills(m->oom_fd) > m->oom_start;
}
