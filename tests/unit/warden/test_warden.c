/* Opening the files of a container's cgroup. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/warden/warden_rig.h"

static void make_v2(const char *cgroup)
{
	static const char *const names[] = {"cgroup.freeze", "cpu.stat", "memory.peak", "memory.events", "cgroup.kill"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		make_file("unified", cgroup, names[i]);
}

static struct warden_mounts v1_mounts(void)
{
	return (struct warden_mounts){
		.freezer = mem_printf("%s/freezer", scratch_dir),
		.cpuacct = mem_printf("%s/cpuacct", scratch_dir),
		.memory = mem_printf("%s/memory", scratch_dir),
		.unified = mem_printf("%s/unified", scratch_dir),
	};
}

static struct warden_mounts v2_mounts(void)
{
	return (struct warden_mounts){.unified = mem_printf("%s/unified", scratch_dir)};
}

/* /proc/PID/cgroup of a process in that cgroup everywhere. */
static char *v1_membership(const char *cgroup)
{
	return mem_printf("12:pids:%s\n11:freezer:%s\n5:cpu,cpuacct:%s\n4:memory:%s\n1:name=systemd:%s\n0::%s\n", cgroup,
			  cgroup, cgroup, cgroup, cgroup, cgroup);
}

static void close_all(int fds[CGROUP_FD_COUNT])
{
	for (int i = 0; i < CGROUP_FD_COUNT; i++)
		fd_close(&fds[i]);
}

/* Checks that the descriptor is that file below scratch_dir, opened in that mode; name NULL: /dev/null. */
static void assert_file(int fd, int access, const char *hierarchy, const char *cgroup, const char *name)
{
	AUTO(mem_free)
	char *path = name ? mem_printf("%s/%s%s/%s", scratch_dir, hierarchy, cgroup, name) : mem_strdup("/dev/null");
	struct stat a, b;

	assert_int_equal(stat(path, &a), 0);
	assert_int_equal(fstat(fd, &b), 0);
	assert_true(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, name ? access : O_RDWR);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void assert_opens(const struct warden_mounts *m, const char *membership, int fds[CGROUP_FD_COUNT], uint8_t wanted)
{
	uint8_t version = 0;
	struct err err;

	assert_ok(warden_open_as(m, ID, membership, fds, &version, &err));
	assert_int_equal(version, wanted);
}

/* Nothing is opened, nothing changed, and nothing leaks. */
static void assert_refused(const struct warden_mounts *m, const char *container, const char *membership, const char *words)
{
	int fds[CGROUP_FD_COUNT] = {-7, -7, -7, -7, -7}, before = unit_open_fds();
	uint8_t version = 77;
	struct err err;

	assert_fails(warden_open_as(m, container, membership, fds, &version, &err), words);
	for (int i = 0; i < CGROUP_FD_COUNT; i++)
		assert_int_equal(fds[i], -7);
	assert_int_equal(version, 77);
	assert_int_equal(unit_open_fds(), before);
}

static void on_v1_the_files_come_from_three_hierarchies(void **state)
{
	static const char *const cgroups[] = {"/docker/" ID, "/system.slice/docker-" ID ".scope", "/" ID};
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();
	int fds[CGROUP_FD_COUNT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++) {
		AUTO(mem_free) char *membership = v1_membership(cgroups[i]);
		make_v1(cgroups[i]);
		assert_opens(&m, membership, fds, 1);
		assert_file(fds[CGROUP_FREEZER], O_WRONLY, "freezer", cgroups[i], "freezer.state");
		assert_file(fds[CGROUP_CPU], O_RDONLY, "cpuacct", cgroups[i], "cpuacct.usage");
		assert_file(fds[CGROUP_MEMORY], O_RDWR, "memory", cgroups[i], "memory.max_usage_in_bytes");
		assert_file(fds[CGROUP_OOM], O_RDONLY, "memory", cgroups[i], "memory.oom_control");
		assert_file(fds[CGROUP_KILL], O_RDONLY, "freezer", cgroups[i], "cgroup.procs");
		close_all(fds);
	}
}

static void on_v2_they_come_from_one(void **state)
{
	static const char *const cgroups[] = {"/docker/" ID, "/system.slice/docker-" ID ".scope"};
	AUTO(warden_mounts_clear) struct warden_mounts m = v2_mounts();
	int fds[CGROUP_FD_COUNT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++) {
		AUTO(mem_free) char *membership = mem_printf("0::%s\n", cgroups[i]);
		make_v2(cgroups[i]);
		assert_opens(&m, membership, fds, 2);
		assert_file(fds[CGROUP_FREEZER], O_WRONLY, "unified", cgroups[i], "cgroup.freeze");
		assert_file(fds[CGROUP_CPU], O_RDONLY, "unified", cgroups[i], "cpu.stat");
		assert_file(fds[CGROUP_MEMORY], O_RDWR, "unified", cgroups[i], "memory.peak");
		assert_file(fds[CGROUP_OOM], O_RDONLY, "unified", cgroups[i], "memory.events");
		assert_file(fds[CGROUP_KILL], O_WRONLY, "unified", cgroups[i], "cgroup.kill");
		close_all(fds);
	}
}

static void on_a_hybrid_the_freezer_decides(void **state)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();
	AUTO(mem_free) char *membership = v1_membership("/docker/" ID);
	int fds[CGROUP_FD_COUNT];

	(void)state;
	make_v1("/docker/" ID);
	make_v2("/docker/" ID);
	assert_opens(&m, membership, fds, 1);
	close_all(fds);
	assert_opens(&m, "5:memory:/docker/" ID "\n0::/docker/" ID "\n", fds, 2);
	close_all(fds);
}

static void each_hierarchy_has_a_path_of_its_own(void **state)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();
	int fds[CGROUP_FD_COUNT];

	(void)state;
	make_v1("/a/" ID);
	make_v1("/b/" ID);
	assert_opens(&m, "3:freezer:/a/" ID "\n4:memory:/b/" ID "\n5:cpuacct,cpu:/a/" ID "\n", fds, 1);
	assert_file(fds[CGROUP_FREEZER], O_WRONLY, "freezer", "/a/" ID, "freezer.state");
	assert_file(fds[CGROUP_CPU], O_RDONLY, "cpuacct", "/a/" ID, "cpuacct.usage");
	assert_file(fds[CGROUP_OOM], O_RDONLY, "memory", "/b/" ID, "memory.oom_control");
	close_all(fds);
}

static void what_a_kernel_lacks_for_measuring_is_dev_null(void **state)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();
	AUTO(mem_free) char *membership = v1_membership("/docker/" ID);
	int fds[CGROUP_FD_COUNT];

	(void)state;
	make_file("freezer", "/docker/" ID, "freezer.state"); /* no files */
	make_file("freezer", "/docker/" ID, "cgroup.procs");
	assert_opens(&m, membership, fds, 1);
	assert_file(fds[CGROUP_CPU], 0, NULL, NULL, NULL);
	assert_file(fds[CGROUP_MEMORY], 0, NULL, NULL, NULL);
	assert_file(fds[CGROUP_OOM], 0, NULL, NULL, NULL);
	close_all(fds);

	make_v1("/docker/" ID);
	mem_free(&m.memory); /* no hierarchy */
	assert_opens(&m, membership, fds, 1);
	assert_file(fds[CGROUP_CPU], O_RDONLY, "cpuacct", "/docker/" ID, "cpuacct.usage");
	assert_file(fds[CGROUP_MEMORY], 0, NULL, NULL, NULL);
	assert_file(fds[CGROUP_OOM], 0, NULL, NULL, NULL);
	close_all(fds);

	/* The process is elsewhere there. */
	assert_opens(&m, "3:freezer:/docker/" ID "\n5:cpuacct:/docker/" OTHER "\n", fds, 1);
	assert_file(fds[CGROUP_CPU], 0, NULL, NULL, NULL);
	close_all(fds);

	AUTO(warden_mounts_clear) struct warden_mounts v2 = v2_mounts();
	make_file("unified", "/docker/" ID, "cgroup.freeze");
	make_file("unified", "/docker/" ID, "cgroup.kill");
	assert_opens(&v2, "0::/docker/" ID "\n", fds, 2);
	for (int i = CGROUP_CPU; i <= CGROUP_OOM; i++)
		assert_file(fds[i], 0, NULL, NULL, NULL);
	close_all(fds);
}

static void assert_memory_file(int access, const char *name)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = v2_mounts();
	int fds[CGROUP_FD_COUNT];

	assert_opens(&m, "0::/docker/" ID "\n", fds, 2);
	assert_file(fds[CGROUP_MEMORY], access, "unified", "/docker/" ID, name);
	close_all(fds);
}

static void a_peak_that_cannot_begin_anew_or_else_the_use_now_is_better_than_nothing(void **state)
{
	AUTO(mem_free) char *peak = mem_printf("%s/unified/docker/%s/memory.peak", scratch_dir, ID);

	(void)state;
	make_v2("/docker/" ID);
	make_file("unified", "/docker/" ID, "memory.current");
	assert_memory_file(O_RDWR, "memory.peak");
	/* What not even root can open for writing: there a file that the kernel only lets be read, here a directory. */
	assert_int_equal(unlink(peak), 0);
	assert_int_equal(mkdir(peak, 0755), 0);
	assert_memory_file(O_RDONLY, "memory.peak");
	assert_int_equal(rmdir(peak), 0);
	assert_memory_file(O_RDONLY, "memory.current");
}

static void without_a_way_to_freeze_and_to_kill_nothing_is_opened(void **state)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();
	AUTO(warden_mounts_clear) struct warden_mounts v2 = v2_mounts();
	AUTO(mem_free) char *membership = v1_membership("/docker/" ID);

	(void)state;
	make_file("freezer", "/docker/" ID, "freezer.state");
	make_file("cpuacct", "/docker/" ID, "cpuacct.usage");
	assert_refused(&m, ID, membership, "cgroup.procs");
	make_file("unified", "/docker/" ID, "cgroup.freeze");
	make_file("unified", "/docker/" ID, "memory.peak");
	assert_refused(&v2, ID, "0::/docker/" ID "\n", "cgroup.kill"); /* before Linux 5.14 */
	mem_free(&m.freezer);
	assert_refused(&m, ID, membership, "in no cgroup of container");
	mem_free(&v2.unified);
	assert_refused(&v2, ID, "0::/docker/" ID "\n", "in no cgroup of container");
}

static void a_process_that_is_not_in_the_containers_cgroup_is_refused(void **state)
{
	static const char *const cgroups[] = {
		"/",
		"/docker",
		"/docker/" OTHER,
		"/docker/" ID "/child",
		"/docker/" ID "x",
		"/docker/x" ID,
		"/docker/cri-" ID ".scope",
		"/docker/docker-" ID,
		"/docker/docker-" ID ".scope.d",
		"/docker/docker-" OTHER ".scope",
		"/../" ID,
		"/docker/../" ID,
		"/../../docker/" ID,
		"/..x/" ID,
		ID,
		"",
	};
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();
	AUTO(warden_mounts_clear) struct warden_mounts v2 = v2_mounts();

	(void)state;
	make_v1("/docker/" ID);
	make_v1("/" ID);
	make_v2("/docker/" ID);
	make_v2("/" ID);
	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++) {
		AUTO(mem_free) char *membership = v1_membership(cgroups[i]);
		AUTO(mem_free) char *unified = mem_printf("0::%s\n", cgroups[i]);
		assert_refused(&m, ID, membership, "in no cgroup of container");
		assert_refused(&v2, ID, unified, "in no cgroup of container");
	}
	assert_refused(&m, ID, "", "in no cgroup of container");
	assert_refused(&m, ID, "garbage\n:\n::\n3:freezer\n", "in no cgroup of container");
}

static void what_is_no_id_of_a_container_is_refused(void **state)
{
	static const char *const ids[] = {
		"",
		"..",
		"00112233445566ff",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeef",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0",
		"00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddee/f",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg",
		ID "x",
	};
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		AUTO(mem_free) char *cgroup = mem_printf("/docker/%s", ids[i]);
		AUTO(mem_free) char *membership = v1_membership(cgroup);
		make_v1(cgroup);
		assert_refused(&m, ids[i], membership, "not the id of a container");
	}
}

static void a_symbolic_link_in_place_of_a_file_is_not_followed(void **state)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();
	AUTO(mem_free) char *membership = v1_membership("/docker/" ID);
	AUTO(mem_free) char *link = mem_printf("%s/freezer/docker/%s/freezer.state", scratch_dir, ID);

	(void)state;
	make_v1("/docker/" ID);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("cgroup.procs", link), 0);
	assert_refused(&m, ID, membership, "freezer.state");
}

static void a_process_is_looked_up_by_its_pid(void **state)
{
	AUTO(warden_mounts_clear) struct warden_mounts m = v1_mounts();
	int fds[CGROUP_FD_COUNT], before = unit_open_fds();
	uint8_t version;
	struct err err;

	(void)state;
	make_v1("/docker/" ID);
	assert_fails(warden_open(&m, ID, getpid(), fds, &version, &err), "in no cgroup of container");
	assert_fails(warden_open(&m, ID, 0, fds, &version, &err), "/proc/0/cgroup");
	assert_fails(warden_open(&m, ID, -1, fds, &version, &err), "/proc/-1/cgroup");
	assert_int_equal(unit_open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, warden_rig_each, warden_rig_nothing_is_left)
		TEST(on_v1_the_files_come_from_three_hierarchies),
		TEST(on_v2_they_come_from_one),
		TEST(on_a_hybrid_the_freezer_decides),
		TEST(each_hierarchy_has_a_path_of_its_own),
		TEST(what_a_kernel_lacks_for_measuring_is_dev_null),
		TEST(a_peak_that_cannot_begin_anew_or_else_the_use_now_is_better_than_nothing),
		TEST(without_a_way_to_freeze_and_to_kill_nothing_is_opened),
		TEST(a_process_that_is_not_in_the_containers_cgroup_is_refused),
		TEST(what_is_no_id_of_a_container_is_refused),
		TEST(a_symbolic_link_in_place_of_a_file_is_not_followed),
		TEST(a_process_is_looked_up_by_its_pid),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
