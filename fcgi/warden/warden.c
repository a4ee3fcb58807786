#include "warden/warden.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#define ID_LENGTH      64
#define MAX_MEMBERSHIP 65536
#define MAX_MOUNTS     (64 << 20) /* each container on the host adds up to a kilobyte */
#define MAX_PROCS      262144

/* A file and the flags with which it is opened. */
struct choice {
	const char *name;
	int flags;
};

/* By enum cgroup_fd: the files that can serve as it, by hierarchy, the best one first. */
struct file {
	const char *controller; /* v1 */
	struct choice v1[3], v2[3];
	bool needed; /* otherwise /dev/null is used */
};

static const struct file files[CGROUP_FD_COUNT] = {
	[CGROUP_FREEZER] = {"freezer", {{"freezer.state", O_WRONLY}}, {{"cgroup.freeze", O_WRONLY}}, true},
	[CGROUP_CPU] = {"cpuacct", {{"cpuacct.usage", O_RDONLY}}, {{"cpu.stat", O_RDONLY}}, false},
	/* v2's memory.peak cannot be reset before Linux 6.12, and does not exist before 5.19. */
	[CGROUP_MEMORY] = {"memory",
			   {{"memory.max_usage_in_bytes", O_RDWR}},
			   {{"memory.peak", O_RDWR}, {"memory.peak", O_RDONLY}, {"memory.current", O_RDONLY}},
			   false},
	[CGROUP_OOM] = {"memory", {{"memory.oom_control", O_RDONLY}}, {{"memory.events", O_RDONLY}}, false},
	[CGROUP_KILL] = {"freezer", {{"cgroup.procs", O_RDONLY}}, {{"cgroup.kill", O_WRONLY}}, true},
};

/* Reads a whole file that the kernel generates on reading. */
static int read_all(int fd, size_t most, struct buf *out, struct err *err)
{
	ssize_t n;

	buf_reset(out);
	while ((n = pread(fd, buf_reserve(out, 4096), 4096, (off_t)out->len)) > 0 && out->len < most)
		out->len += (size_t)n;
	if (n != 0)
		return err_set(err, n < 0 ? errno : EFBIG, "read");
	*(char *)buf_reserve(out, 1) = '\0';
	return 0;
}

static int read_file(const char *path, size_t most, struct buf *out, struct err *err)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	return read_all(fd, most, out, err) < 0 ? err_prefix(err, "'%s'", path) : 0;
}

/* Whether word is one of the words separated by commas. */
static bool lists(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
		if ((at == list || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

static void keep_mount(char **where, const char *path)
{
	if (*where == NULL)
		*where = mem_strdup(path);
}

/* "36 35 0:31 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory": proc_pid_mountinfo(5). */
static void take_mount(char *line, struct warden_mounts *m)
{
	char root[512], path[512], type[32], options[512];
	char *tail = strstr(line, " - ");

	if (tail == NULL || sscanf(line, "%*s %*s %*s %511s %511s", root, path) != 2 ||
	    sscanf(tail, " - %31s %*s %511s", type, options) != 2 || strcmp(root, "/") != 0)
		return;
	if (strcmp(type, "cgroup2") == 0)
		keep_mount(&m->unified, path);
	if (strcmp(type, "cgroup") != 0)
		return;
	if (lists(options, "freezer"))
		keep_mount(&m->freezer, path);
	if (lists(options, "cpuacct"))
		keep_mount(&m->cpuacct, path);
	if (lists(options, "memory"))
		keep_mount(&m->memory, path);
}

int warden_mounts_read(const char *mountinfo_path, struct warden_mounts *mounts, struct err *err)
{
	AUTO(buf_free) struct buf text = {0};
	char *rest, *line;

	if (read_file(mountinfo_path, MAX_MOUNTS, &text, err) < 0)
		return -1;
	*mounts = (struct warden_mounts){0};
	for (line = strtok_r(text.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		take_mount(line, mounts);
	return 0;
}

void warden_mounts_clear(struct warden_mounts *m)
{
	mem_free(&m->freezer);
	mem_free(&m->cpuacct);
	mem_free(&m->memory);
	mem_free(&m->unified);
}

/* Containers' cgroups are called ID, or docker-ID.scope under systemd. */
static bool is_of(const char *cgroup, const char *container)
{
	const char *name = strrchr(cgroup, '/');
	char scope[ID_LENGTH + 16];

	snprintf(scope, sizeof(scope), "docker-%s.scope", container);
	return name != NULL && strstr(cgroup, "/..") == NULL &&
	       (strcmp(name + 1, container) == 0 || strcmp(name + 1, scope) == 0);
}

static bool is_id(const char *text)
{
	return strlen(text) == ID_LENGTH && strspn(text, "0123456789abcdef") == ID_LENGTH;
}

/*
 * The path of the process's cgroup in one hierarchy, from lines such as "4:memory:/docker/ID"; controller is "" for v2's
 * "0::/…". Malloc'ed; NULL when there is none.
 */
static char *membership_new(const char *text, const char *controller)
{
	AUTO(mem_free) char *copy = mem_strdup(text);
	char *rest, *line;

	for (line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		char *controllers = strchr(line, ':');
		char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
		if (path == NULL)
			continue;
		*controllers++ = *path++ = '\0';
		if (controller[0] == '\0' ? controllers[0] == '\0' : lists(controllers, controller))
			return mem_strdup(path);
	}
	return NULL;
}

static const char *mount_of(const struct warden_mounts *m, const char *controller)
{
	if (strcmp(controller, "freezer") == 0)
		return m->freezer;
	return strcmp(controller, "memory") == 0 ? m->memory : m->cpuacct;
}

static int open_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* Opens the first of the choices that exists; -1 when none does. */
static int open_first(const char *mount, const char *cgroup, const struct choice choices[3], struct err *err)
{
	int fd = -1, i = 0;

	for (; i < 3 && choices[i].name != NULL && fd < 0; i++) {
		AUTO(mem_free) char *path = mem_printf("%s%s/%s", mount, cgroup, choices[i].name);
		fd = open(path, choices[i].flags | O_CLOEXEC | O_NOFOLLOW);
	}
	return fd < 0 ? err_set(err, errno, "open '%s%s/%s'", mount, cgroup, choices[i - 1].name) : fd;
}

static int open_one(const char *mount, const char *cgroup, const char *container, const struct choice choices[3], bool needed,
		    struct err *err)
{
	if (mount == NULL || cgroup == NULL || !is_of(cgroup, container))
		return needed ? err_set(err, ENOENT, "the process is in no cgroup of container %.12s", container) : open_null();
	int fd = open_first(mount, cgroup, choices, needed ? err : NULL);
	return fd < 0 && !needed ? open_null() : fd;
}

int warden_open_as(const struct warden_mounts *m, const char *container, const char *membership, int fds[CGROUP_FD_COUNT],
		   uint8_t *version, struct err *err)
{
	AUTO(mem_free) char *v1 = membership_new(membership, "freezer");
	AUTO(mem_free) char *v2 = membership_new(membership, "");
	int opened[CGROUP_FD_COUNT];
	int i = 0;

	if (!is_id(container))
		return err_set(err, EINVAL, "not the id of a container");
	for (; i < CGROUP_FD_COUNT; i++) {
		const struct file *f = &files[i];
		AUTO(mem_free) char *path = v1 != NULL ? membership_new(membership, f->controller) : NULL;
		opened[i] = v1 != NULL ? open_one(mount_of(m, f->controller), path, container, f->v1, f->needed, err)
				       : open_one(m->unified, v2, container, f->v2, f->needed, err);
		if (opened[i] < 0)
			break;
	}
	if (i < CGROUP_FD_COUNT) {
		while (i-- > 0)
			close(opened[i]);
		return -1;
	}
	memcpy(fds, opened, sizeof(opened));
	*version = v1 != NULL ? 1 : 2;
	return 0;
}

int warden_open(const struct warden_mounts *m, const char *container, pid_t pid, int fds[CGROUP_FD_COUNT], uint8_t *version,
		struct err *err)
{
	AUTO(buf_free) struct buf text = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (read_file(path, MAX_MEMBERSHIP, &text, err) < 0)
		return -1;
	return warden_open_as(m, container, text.data, fds, version, err);
}

/*
 * Whether fd is the file of that name in a container's cgroup, judging by its file system and its path as the kernel reports
 * them.
 */
static bool is_file_of_container(int fd, const char *name)
{
	char link[64], path[1024], id[ID_LENGTH + 1];
	struct statfs fs;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP_SUPER_MAGIC)
		return false;
	path[n] = '\0';
	char *file = strrchr(path, '/');
	if (file == NULL || strcmp(file + 1, name) != 0)
		return false;
	*file = '\0';
	char *cgroup = strrchr(path, '/');
	if (cgroup == NULL)
		return false;
	const char *at = strncmp(cgroup + 1, "docker-", 7) == 0 ? cgroup + 8 : cgroup + 1;
	snprintf(id, sizeof(id), "%s", at);
	return is_id(id) && is_of(path, id);
}

/* Returns the number of processes killed. */
static int kill_listed(int procs_fd, struct err *err)
{
	AUTO(buf_free) struct buf text = {0};
	int killed = 0;

	if (read_all(procs_fd, MAX_PROCS, &text, err) < 0)
		return err->code == ENODEV ? 0 : -1; /* the cgroup is gone, and with it all its processes */
	for (char *at = text.data, *end; *at != '\0'; at = end + strspn(end, "\n")) {
		long pid = strtol(at, &end, 10);
		if (end == at || pid <= 1)
			return err_set(err, EPROTO, "a process list that holds '%.20s'", at);
		if (kill((pid_t)pid, SIGKILL) == 0)
			killed++;
	}
	return killed;
}

int warden_kill(int procs_fd, int freezer_fd, struct err *err)
{
	if (!is_file_of_container(procs_fd, "cgroup.procs") || !is_file_of_container(freezer_fd, "freezer.state"))
		return err_set(err, EINVAL, "not the files of a container's cgroup");
	int killed = kill_listed(procs_fd, err);
	/* Thawed even when killing failed, because Docker cannot kill frozen processes either. ENODEV: the cgroup is gone. */
	if (pwrite(freezer_fd, "THAWED", 6, 0) < 0 && errno != ENODEV && killed >= 0)
		return err_set(err, errno, "thaw");
	return killed;
}
