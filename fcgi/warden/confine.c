#include "warden/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

/* All rights that the first version of Landlock knows: rights that are not granted are denied. */
#define ANY_ACCESS                                                                                                             \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |                           \
	 LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                        \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                         \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)
#define READ       LANDLOCK_ACCESS_FS_READ_FILE
#define READ_WRITE (READ | LANDLOCK_ACCESS_FS_WRITE_FILE)

/* Nothing is granted when path is NULL or does not exist. */
static int grant(int ruleset_fd, const char *path, uint64_t access, struct err *err)
{
	AUTO(fd_close) int fd = path == NULL ? -1 : open(path, O_PATH | O_CLOEXEC);
	const struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};

	if (fd < 0)
		return 0;
	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_set(err, errno, "Landlock: grant '%s'", path);
	return 0;
}

static int grant_each(int ruleset_fd, const char *dirs, struct err *err)
{
	AUTO(mem_free) char *copy = mem_strdup(dirs);
	char *rest, *dir;

	for (dir = strtok_r(copy, " ", &rest); dir != NULL; dir = strtok_r(NULL, " ", &rest))
		if (grant(ruleset_fd, dir, READ, err) < 0)
			return -1;
	return 0;
}

static int confine_files(const struct warden_mounts *m, const char *containerd_dirs, struct err *err)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs = ANY_ACCESS};
	AUTO(fd_close) int fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (fd < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) {
		log_warn("this kernel has no Landlock: the warden could open any file if it were taken over");
		return 0;
	}
	if (fd < 0)
		return err_set(err, errno, "Landlock");
	if (grant(fd, m->freezer, READ_WRITE, err) < 0 || grant(fd, m->cpuacct, READ_WRITE, err) < 0 ||
	    grant(fd, m->memory, READ_WRITE, err) < 0 || grant(fd, m->unified, READ_WRITE, err) < 0 ||
	    grant(fd, "/dev/null", READ_WRITE, err) < 0 || grant(fd, "/proc", READ, err) < 0 ||
	    grant_each(fd, containerd_dirs, err) < 0)
		return -1;
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_set(err, errno, "Landlock");
	return 0;
}

/* The system calls that the warden's work needs, including those that the C library makes for it. */
static const int calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(kill),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(tgkill),
	SCMP_SYS(geteuid),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/*
 * Flags with which the warden opens no file. The first version of Landlock treats O_TRUNC as reading, so seccomp has to refuse
 * it.
 */
#define NEVER (O_TRUNC | O_CREAT)

static void release(scmp_filter_ctx *filter)
{
	seccomp_release(*filter);
}

static int confine_calls(struct err *err)
{
	AUTO(release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = filter == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, NEVER, 0));
	if (rc == 0)
		rc = seccomp_load(filter);
	return rc == 0 ? 0 : err_set(err, -rc, "seccomp");
}

int confine(const struct warden_mounts *mounts, const char *containerd_dirs, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, errno, "no_new_privs");
	if (confine_files(mounts, containerd_dirs, err) < 0)
		return -1;
#ifdef __SANITIZE_ADDRESS__
	(void)confine_calls; /* sanitizers need other calls */
	return 0;
#else
	return confine_calls(err);
#endif
}
