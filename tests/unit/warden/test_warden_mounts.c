/* The mounts of the hierarchies of cgroups. */
#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/warden/warden_rig.h"

/* ---- The mounts of the hierarchies ---- */

static int read_mounts(const char *text, struct warden_mounts *m, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/mountinfo", scratch_dir);

	unit_write_file(path, text);
	return warden_mounts_read(path, m, err);
}

static void assert_path(const char *path, const char *wanted)
{
	if (wanted == NULL)
		assert_null(path);
	else
		assert_string_equal(path ? path : "none", wanted);
}

/* Checks which mounts are read from that text; NULL: none. */
static void assert_mounts(const char *text, const char *freezer, const char *cpuacct, const char *memory, const char *unified)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = {0};
	struct err err;

	assert_ok(read_mounts(text, &m, &err));
	assert_path(m.freezer, freezer);
	assert_path(m.cpuacct, cpuacct);
	assert_path(m.memory, memory);
	assert_path(m.unified, unified);
}

#define ROOT_MOUNT "23 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n24 23 0:5 / /proc rw - proc proc rw\n"
#define V1_MOUNTS                                                                                                              \
	"31 24 0:27 / /sys/fs/cgroup/freezer rw,nosuid,nodev shared:12 - cgroup cgroup rw,freezer\n"                           \
	"32 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev shared:13 master:2 - cgroup cgroup rw,cpu,cpuacct\n"          \
	"33 24 0:29 / /sys/fs/cgroup/memory rw - cgroup none rw,memory\n"                                                      \
	"34 24 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"

static void on_v1_each_controller_is_found_where_it_is_mounted(void **state)
{
	(void)state;
	assert_mounts(ROOT_MOUNT V1_MOUNTS, "/sys/fs/cgroup/freezer", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory",
		      NULL);
}

static void on_v2_there_is_one_hierarchy(void **state)
{
	(void)state;
	assert_mounts(ROOT_MOUNT "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n", NULL, NULL,
		      NULL, "/sys/fs/cgroup");
}

static void a_hybrid_has_both(void **state)
{
	(void)state;
	assert_mounts("30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" V1_MOUNTS, "/sys/fs/cgroup/freezer",
		      "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified");
}

static void a_mount_of_only_a_part_and_a_second_one_are_passed_over(void **state)
{
	(void)state;
	assert_mounts("40 24 0:27 /docker/" ID " /var/lib/lxc/freezer rw - cgroup cgroup rw,freezer\n"
		      "41 24 0:26 /../.. /mnt/unified rw - cgroup2 cgroup2 rw\n" V1_MOUNTS
		      "42 24 0:27 / /mnt/freezer rw - cgroup cgroup rw,freezer\n",
		      "/sys/fs/cgroup/freezer", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", NULL);
}

static void what_only_looks_like_a_hierarchy_is_none(void **state)
{
	(void)state;
	assert_mounts("", NULL, NULL, NULL, NULL);
	assert_mounts("\n\ngarbage\n - cgroup cgroup rw,freezer\n1 2 3 / /x rw cgroup cgroup rw,freezer\n"
		      "31 24 0:27 / /a rw - tmpfs cgroup rw,freezer\n"
		      "32 24 0:28 / /freezer rw - cgroup cgroup rw,freezers,myfreezer,free\n"
		      "33 24 0:29 / /b rw - cgroup3 cgroup rw,memory\n"
		      "34 24 0:29 / /c rw - cgroup\n",
		      NULL, NULL, NULL, NULL);
}

static void a_host_with_very_many_mounts_is_read_to_the_end(void **state)
{
	AUTO(buf_free) struct buf text = {0};
	char options[600];

	(void)state;
	memset(options, 'x', sizeof(options) - 1);
	options[sizeof(options) - 1] = '\0';
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "%d 23 0:%d / /var/lib/docker/overlay2/%d/merged rw - overlay overlay rw,lowerdir=%s\n", i, i,
			   i, options);
	buf_add_str(&text, V1_MOUNTS);
	assert_mounts(buf_str(&text), "/sys/fs/cgroup/freezer", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", NULL);
}

static void a_list_of_mounts_that_cannot_be_read_is_an_error(void **state)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = {0};
	struct err err;

	(void)state;
	assert_fails(warden_mounts_read("/nonexistent/mountinfo", &m, &err), "/nonexistent/mountinfo");
	assert_fails(warden_mounts_read("/", &m, &err), "Is a directory");
}

static void this_machines_mounts_are_read(void **state)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = {0};
	struct err err;

	(void)state;
	assert_ok(warden_mounts_read("/proc/self/mountinfo", &m, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, warden_rig_each, warden_rig_nothing_is_left)
		TEST(on_v1_each_controller_is_found_where_it_is_mounted),
		TEST(on_v2_there_is_one_hierarchy),
		TEST(a_hybrid_has_both),
		TEST(a_mount_of_only_a_part_and_a_second_one_are_passed_over),
		TEST(what_only_looks_like_a_hierarchy_is_none),
		TEST(a_host_with_very_many_mounts_is_read_to_the_end),
		TEST(a_list_of_mounts_that_cannot_be_read_is_an_error),
		TEST(this_machines_mounts_are_read),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
