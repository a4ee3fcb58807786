#include "tests/support/fake_shim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define COMMAND "containerd-shim-runc-v2"

/* The directory dir/name, made. */
static char *make(const char *dir, const char *name)
{
	char *path = mem_printf("%s/%s", dir, name);

	mkdir(path, 0755);
	return path;
}

static void write_text(const char *dir, const char *name, const char *text)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", dir, name);
	FILE *out = fopen(path, "we");

	if (out == NULL || fputs(text, out) < 0 || fclose(out) != 0)
		abort();
}

pid_t fake_shim_start(const char *dir, const char *container)
{
	AUTO(mem_free) char *containerd = make(dir, "containerd");
	AUTO(mem_free) char *address = mem_printf("%s/containerd.sock", containerd);
	AUTO(mem_free) char *program = mem_printf("%s/" COMMAND, dir);
	int up[2];
	char c;

	/* The name of a process is that of its program: a link to the shell, which takes any words after its script. */
	if ((access(program, F_OK) < 0 && symlink("/bin/sh", program) < 0) || pipe2(up, O_CLOEXEC) < 0)
		abort();
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(up[1], STDOUT_FILENO);
		execl(program, program, "-c", "echo; kill -STOP $$", COMMAND, "-namespace", "moby", "-id", container,
		      "-address", address, NULL);
		_exit(127);
	}
	close(up[1]);
	if (pid < 0 || read(up[0], &c, 1) != 1)
		abort();
	close(up[0]);
	return pid;
}

static char *bundle_new(const char *state, const char *container)
{
	AUTO(mem_free) char *made = make(state, "");
	AUTO(mem_free) char *tasks = make(state, "io.containerd.runtime.v2.task");
	AUTO(mem_free) char *namespace = make(tasks, "moby");

	return make(namespace, container);
}

void fake_shim_make_bundle(const char *state, const char *container, const char *source, const char *at)
{
	AUTO(mem_free) char *bundle = bundle_new(state, container);
	AUTO(mem_free)
	char *text = mem_printf("{\"mounts\": [{\"destination\": \"/proc\", \"source\": \"proc\"},"
				" {\"destination\": \"%s\", \"source\": \"%s\"}]}",
				at, source);

	write_text(bundle, "config.json", text);
}

void fake_shim_set_init(const char *state, const char *container, pid_t pid)
{
	AUTO(mem_free) char *bundle = bundle_new(state, container);
	AUTO(mem_free) char *text = mem_printf("%d", (int)pid);

	write_text(bundle, "init.pid", text);
}

bool fake_shim_is_alive(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

void fake_shim_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
