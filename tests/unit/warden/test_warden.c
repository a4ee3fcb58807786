/*
 * The warden's work on hierarchies of plain files below a scratch directory, and, where this machine has the freezer of cgroup
 * v1 and lets us write there, on a cgroup of the kernel's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/warden/warden_rig.h"

/* ---- Where the hierarchies are mounted ---- */

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

/* From that text these mounts are read; NULL: none. */
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

/* It is that file below scratch_dir, open for that; name NULL: /dev/null. */
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

/* ---- Killing ---- */

static char *top, *kernels; /* of the kernel's freezer: /sys/fs/cgroup/freezer/berth-test-<pid>[/<id>]; NULL: not made */

static int cgroup_open_file(const char *of, const char *name, int flags)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", of, name);
	int fd = open(path, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void cgroup_say(const char *of, const char *name, const char *what)
{
	AUTO(fd_close) int fd = cgroup_open_file(of, name, O_WRONLY);

	assert_int_equal(write(fd, what, strlen(what)), strlen(what));
}

static void cgroup_read(const char *of, const char *name, char *text, size_t size)
{
	AUTO(fd_close) int fd = cgroup_open_file(of, name, O_RDONLY);
	ssize_t n = read(fd, text, size - 1);

	text[MAX(n, 0)] = '\0';
}

#define PATIENCE_US INT64_C(20000000)

static bool says_within_patience(const char *of, const char *name, const char *wanted)
{
	char text[4096];

	for (int64_t start_us = clock_mono_us(); clock_mono_us() - start_us < PATIENCE_US; usleep(1000)) {
		cgroup_read(of, name, text, sizeof(text));
		if (strcmp(text, wanted) == 0)
			return true;
	}
	return false;
}

static bool make_cgroups(void)
{
	AUTO(mem_free) char *path = mem_printf("/sys/fs/cgroup/freezer/berth-test-%d", getpid());
	AUTO(mem_free) char *below = mem_printf("%s/%s", path, ID);
	AUTO(mem_free) char *freezer = mem_printf("%s/freezer.state", path);

	if (mkdir(path, 0755) < 0) {
		print_message("skipped: the freezer of cgroup v1 is not at /sys/fs/cgroup/freezer, or not ours to write: %s\n",
			      strerror(errno));
		return false;
	}
	top = TAKE_PTR(path);
	if (access(freezer, W_OK) < 0 || mkdir(below, 0755) < 0) {
		print_message("skipped: /sys/fs/cgroup/freezer is no freezer of cgroup v1: %s\n", strerror(errno));
		return false;
	}
	kernels = TAKE_PTR(below);
	return true;
}

/* Not with the code under test. */
static void kill_everybody(void)
{
	char text[4096], *rest;

	cgroup_say(kernels, "freezer.state", "FROZEN");
	cgroup_read(kernels, "cgroup.procs", text, sizeof(text));
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		kill(atoi(line), SIGKILL);
	cgroup_say(kernels, "freezer.state", "THAWED");
}

static void remove_cgroups(void)
{
	int64_t start_us = clock_mono_us();

	while (kernels != NULL && rmdir(kernels) < 0 && clock_mono_us() - start_us < PATIENCE_US) {
		kill_everybody();
		usleep(1000);
	}
	while (top != NULL && rmdir(top) < 0 && clock_mono_us() - start_us < PATIENCE_US)
		usleep(1000);
	mem_free(&kernels);
	mem_free(&top);
}

#define BOMBS       4
#define BOMB_LIFE_S 30 /* should the test be killed itself */

/* Goes on as its own child, again and again: a list of processes is out of date as soon as it is read. */
static void keep_forking(void)
{
	for (int64_t end_us = clock_mono_us() + BOMB_LIFE_S * INT64_C(1000000); clock_mono_us() < end_us;) {
		if (fork() > 0)
			_exit(0);
	}
	_exit(0);
}

/* A process in the cgroup that runs body. */
static pid_t start_in_cgroup(const char *of, void (*body)(void))
{
	AUTO(mem_free) char *procs = mem_printf("%s/cgroup.procs", of);
	int go[2];
	char byte;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) == 1)
			body();
		_exit(0);
	}
	close(go[0]);
	char text[16];
	snprintf(text, sizeof(text), "%d", pid);
	cgroup_say(of, "cgroup.procs", text);
	assert_int_equal(write(go[1], "g", 1), 1);
	close(go[1]);
	return pid;
}

static void sleep_on(void)
{
	alarm(BOMB_LIFE_S);
	for (;;)
		pause();
}

static void everybody_in_a_frozen_cgroup_is_killed_though_they_were_forking_all_the_time(void **state)
{
	struct err err;

	(void)state;
	if (!make_cgroups())
		UNIT_SKIP("no cgroup can be made");
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	AUTO(fd_close) int procs = cgroup_open_file(kernels, "cgroup.procs", O_RDONLY);
	AUTO(fd_close) int freezer = cgroup_open_file(kernels, "freezer.state", O_WRONLY);
	for (int i = 0; i < BOMBS; i++)
		start_in_cgroup(kernels, keep_forking);
	start_in_cgroup(kernels, sleep_on);
	cgroup_say(kernels, "freezer.state", "FROZEN");
	assert_true(says_within_patience(kernels, "freezer.state", "FROZEN\n"));
	int killed = warden_kill(procs, freezer, &err);
	assert_ok(killed);
	assert_true(killed >= BOMBS + 1); /* or more: parents may have been frozen before their end */
	assert_true(says_within_patience(kernels, "cgroup.procs", ""));
	assert_true(says_within_patience(kernels, "freezer.state", "THAWED\n"));

	assert_int_equal(warden_kill(procs, freezer, &err), 0); /* there is nobody any more */
	assert_int_equal(rmdir(kernels), 0);
	mem_free(&kernels);
	assert_int_equal(warden_kill(procs, freezer, &err), 0); /* not even a cgroup */
	signal(SIGCHLD, SIG_DFL);
}

static void nobody_is_killed_in_a_cgroup_that_is_no_containers(void **state)
{
	struct err err;
	int status;

	(void)state;
	if (!make_cgroups())
		UNIT_SKIP("no cgroup can be made");
	pid_t pid = start_in_cgroup(top, sleep_on);
	AUTO(fd_close) int procs = cgroup_open_file(top, "cgroup.procs", O_RDONLY);
	AUTO(fd_close) int freezer = cgroup_open_file(top, "freezer.state", O_WRONLY);
	AUTO(fd_close) int good_procs = cgroup_open_file(kernels, "cgroup.procs", O_RDONLY);
	AUTO(fd_close) int good_freezer = cgroup_open_file(kernels, "freezer.state", O_WRONLY);
	AUTO(fd_close) int tasks = cgroup_open_file(kernels, "tasks", O_RDONLY);
	const int refused[][2] = {
		{procs, freezer},      {procs, good_freezer},    {good_procs, freezer}, {good_freezer, good_procs},
		{tasks, good_freezer}, {good_procs, good_procs}, {-1, good_freezer},    {good_procs, -1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_fails(warden_kill(refused[i][0], refused[i][1], &err), "not the files of a container's cgroup");
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* alive */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void nobody_is_killed_by_files_that_only_have_the_names(void **state)
{
	AUTO(mem_free) char *procs_path = mem_printf("%s/freezer/docker/%s/cgroup.procs", scratch_dir, ID);
	AUTO(mem_free) char *freezer_path = mem_printf("%s/freezer/docker/%s/freezer.state", scratch_dir, ID);
	struct err err;
	int status, ends[2];

	(void)state;
	make_v1("/docker/" ID);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		sleep_on();
	AUTO(mem_free) char *text = mem_printf("%d\n", pid);
	unit_write_file(procs_path, text);
	AUTO(fd_close) int procs = open(procs_path, O_RDONLY | O_CLOEXEC);
	AUTO(fd_close) int freezer = open(freezer_path, O_WRONLY | O_CLOEXEC);
	assert_fails(warden_kill(procs, freezer, &err), "not the files of a container's cgroup");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_fails(warden_kill(ends[0], ends[1], &err), "not the files of a container's cgroup");
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* alive */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static int nothing_is_left(void **state)
{
	remove_cgroups();
	return warden_rig_nothing_is_left(state);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, warden_rig_each, nothing_is_left)
		TEST(everybody_in_a_frozen_cgroup_is_killed_though_they_were_forking_all_the_time),
		TEST(nobody_is_killed_in_a_cgroup_that_is_no_containers),
		TEST(nobody_is_killed_by_files_that_only_have_the_names),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
