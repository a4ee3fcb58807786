#include "tests/unit/warden/warden_rig.h"

#include <signal.h>
#include <sys/stat.h>

#include "base/mem.h"

char *scratch_dir;

static int fds_before;

static void make_dirs(const char *path)
{
	AUTO(mem_free) char *copy = mem_strdup(path);

	for (char *at = strchr(copy + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(copy, 0755);
		*at = '/';
	}
}

void make_file(const char *hierarchy, const char *cgroup, const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s%s/%s", scratch_dir, hierarchy, cgroup, name);

	make_dirs(path);
	unit_write_file(path, name);
}

void make_v1(const char *cgroup)
{
	make_file("freezer", cgroup, "freezer.state");
	make_file("freezer", cgroup, "cgroup.procs");
	make_file("cpuacct", cgroup, "cpuacct.usage");
	make_file("memory", cgroup, "memory.max_usage_in_bytes");
	make_file("memory", cgroup, "memory.oom_control");
}

int warden_rig_each(void **state)
{
	(void)state;
	fds_before = unit_open_fds();
	scratch_dir = unit_make_dir();
	return 0;
}

int warden_rig_nothing_is_left(void **state)
{
	(void)state;
	signal(SIGCHLD, SIG_DFL);
	unit_remove_dir(&scratch_dir);
	assert_int_equal(unit_open_fds(), fds_before);
	return 0;
}
