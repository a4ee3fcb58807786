#include "warden/containerd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cmdline.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/cgroup_fds.h"

#define MAX_COMMAND_LINE  65536
#define MAX_CONFIGURATION (1 << 20)
#define MOUNTED_AT        "/berth"

/*
 * Where bundles are below containerd's state directory, which is the directory of its socket, or is below it when Docker Engine
 * runs containerd.
 */
static const char *const bundles[] = {"io.containerd.runtime.v2.task", "daemon/io.containerd.runtime.v2.task"};

static bool is_name(const char *text)
{
	return text != NULL && text[0] != '\0' &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] == '\0';
}

/* Whether a bundle's configuration is that of one of our sandboxes. */
static bool mounts_one_of(const char *configuration, size_t len, const char *directory)
{
	json_t *json = json_loadb(configuration, len, 0, NULL), *mount;
	size_t i, prefix = strlen(directory);
	bool found = false;

	json_array_foreach (json_object_get(json, "mounts"), i, mount) {
		const char *at = json_string_value(json_object_get(mount, "destination"));
		const char *source = json_string_value(json_object_get(mount, "source"));
		found = found || (at != NULL && source != NULL && strcmp(at, MOUNTED_AT) == 0 && prefix > 0 &&
				  strncmp(source, directory, prefix) == 0 && source[prefix] == '/');
	}
	json_decref(json);
	return found;
}

/*
 * The path of the bundle of the container whose shim has that command line, malloc'ed; NULL with err when it is no such shim.
 */
static char *bundle_new(const char *line, size_t len, const char *container, const char *directory, struct err *err)
{
	const char *id = cmdline_option(line, len, "-id"), *namespace = cmdline_option(line, len, "-namespace");
	const char *address = cmdline_option(line, len, "-address");
	const char *name = strrchr(line, '/');

	if (strncmp(name != NULL ? name + 1 : line, "containerd-shim", strlen("containerd-shim")) != 0 || id == NULL ||
	    strcmp(id, container) != 0 || !is_name(namespace) || address == NULL || address[0] != '/') {
		err_set(err, EINVAL, "the process is not the shim of container %.12s", container);
		return NULL;
	}
	AUTO(mem_free) char *socket = mem_strdup(address);
	const char *state = dirname(socket);
	for (size_t i = 0; i < ARRAY_SIZE(bundles); i++) {
		AUTO(mem_free) char *bundle = mem_printf("%s/%s/%s/%s", state, bundles[i], namespace, container);
		AUTO(mem_free) char *path = mem_printf("%s/config.json", bundle);
		AUTO(mem_free) char *configuration = NULL;
		size_t configuration_len;
		if (fd_read_file(path, MAX_CONFIGURATION, &configuration, &configuration_len, NULL) == 0 &&
		    mounts_one_of(configuration, configuration_len, directory))
			return TAKE_PTR(bundle);
	}
	err_set(err, EPERM, "container %.12s is no sandbox in '%s'", container, directory);
	return NULL;
}

/* Kills the processes of the container, which may be frozen. Its first process leads to its cgroup. */
static void kill_contents(const struct warden_mounts *mounts, const char *container, const char *bundle)
{
	AUTO(mem_free) char *path = mem_printf("%s/init.pid", bundle);
	AUTO(mem_free) char *text = NULL;
	size_t len;
	int fds[CGROUP_FD_COUNT];
	uint8_t version;
	struct err err = {0};

	if (fd_read_file(path, 32, &text, &len, NULL) < 0 ||
	    warden_open(mounts, container, (pid_t)strtol(text, NULL, 10), fds, &version, NULL) < 0)
		return; /* it has ended */
	if (version == 2 ? pwrite(fds[CGROUP_KILL], "1", 1, 0) < 0
			 : pwrite(fds[CGROUP_FREEZER], "FROZEN", 6, 0) < 0 ||
				   warden_kill(fds[CGROUP_KILL], fds[CGROUP_FREEZER], &err) < 0)
		log_warn("container %.12s: not ended: %s", container, err.code != 0 ? err.msg : strerror(errno));
	for (int i = 0; i < CGROUP_FD_COUNT; i++)
		fd_close(&fds[i]);
}

int containerd_end_shim(const struct warden_mounts *mounts, const char *container, pid_t pid, const char *directory,
			struct err *err)
{
	/* From here on the pidfd guarantees that the process being checked is the one that is killed. */
	AUTO(fd_close) int process = (int)syscall(SYS_pidfd_open, pid, 0);
	AUTO(mem_free) char *proc = mem_printf("/proc/%d", (int)pid);
	AUTO(mem_free) char *path = mem_printf("%s/cmdline", proc);
	AUTO(mem_free) char *line = NULL;
	struct stat st;
	size_t len;

	if (process < 0)
		return err_set(err, errno, "process %d", (int)pid);
	if (stat(proc, &st) < 0 || (st.st_uid != 0 && st.st_uid != geteuid()) || !is_name(container))
		return err_set(err, EPERM, "process %d is no shim", (int)pid);
	if (fd_read_file(path, MAX_COMMAND_LINE, &line, &len, err) < 0)
		return -1;
	AUTO(mem_free) char *bundle = bundle_new(line, len, container, directory, err);
	if (bundle == NULL)
		return -1;
	kill_contents(mounts, container, bundle);
	if (syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) < 0)
		return err_set(err, errno, "kill the shim of container %.12s", container);
	return 0;
}
