/*
 * The first program of every sandbox: launcher <agent> [argument...]
 *
 * Connects to the two sockets the host left in /berth, hands them over as the descriptors every agent expects, refuses some
 * system calls that the engine's own filter allows, and starts the agent, which never preempts other processes when it wakes up
 * (SCHED_BATCH):
 *
 *   0     /dev/null
 *   1     log.sock      what is printed here is the function's log
 *   2     log.sock      a connection of its own, the second one
 *   3     control.sock  the agent protocol, see ../protocol.md
 *
 * Once descriptor 2 is the log socket, errors go there too. The exit code tells the host which step failed.
 *
 * It stays as the init of the sandbox: it passes signals on to the agent and reaps processes. When the agent has ended, it
 * reports that to the host: the exit code, or 128 plus the signal's number, is one byte on a second connection to control.sock.
 * Then it exits with that code, which ends all remaining processes of the sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef BERTH_DIR
#define BERTH_DIR "/berth"
#endif

enum {
	CONTROL_FD = 3,
	END_FD = 3, /* exit code of the launcher itself after the agent was started */
	CONNECT_TRIES = 50,
	CONNECT_PAUSE_MS = 10,
};

enum exit_code {
	EXIT_USAGE = 120,
	EXIT_CONTROL = 121,
	EXIT_LOG = 122,
	EXIT_DESCRIPTORS = 123,
	EXIT_FILTER = 124,
	EXIT_FORK = 125,
	EXIT_NOT_EXECUTABLE = 126, /* these two are as in a shell */
	EXIT_NOT_FOUND = 127,
};

static int complain(const char *what)
{
	dprintf(STDERR_FILENO, "launcher: %s: %s\n", what, strerror(errno));
	return -1;
}

/* Moves fd out of the range 0-3, which is needed for the agent's descriptors. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, CONTROL_FD + 1);

	close(fd);
	return moved;
}

/* The host may not listen yet, so this waits; a path that does not appear is an error. */
static int connect_to(const char *path)
{
	const struct timespec pause = {.tv_nsec = CONNECT_PAUSE_MS * 1000000L};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || (fd = move_up(fd)) == -1)
		return complain("socket");

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	for (int tries = 1; connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1; tries++) {
		if ((errno != ENOENT && errno != ECONNREFUSED) || tries == CONNECT_TRIES)
			return complain(path);
		nanosleep(&pause, NULL);
	}
	return fd;
}

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "which architecture does the filter of system calls have to expect?"
#endif

#define FIELD(name)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define REFUSE(err)  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (err))
#define ALLOW        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define IF(test, k)  BPF_JUMP(BPF_JMP | (test) | BPF_K, (k), 0, 1) /* otherwise the next instruction is skipped */
#define FIRST_OF_X32 0x40000000u

/*
 * Filters system calls in addition to the container's filter (seccomp(2)): io_uring makes requests that no filter sees, vsock
 * reaches the host of a virtual machine regardless of the network namespace, and foreign system call tables would circumvent
 * both.
 */
static int refuse_system_calls(void)
{
	struct sock_filter code[] = {
		FIELD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
		REFUSE(ENOSYS),
		FIELD(nr),
		IF(BPF_JGE, FIRST_OF_X32),
		REFUSE(ENOSYS),
		IF(BPF_JEQ, SYS_io_uring_setup),
		REFUSE(EPERM),
		IF(BPF_JEQ, SYS_io_uring_enter),
		REFUSE(EPERM),
		IF(BPF_JEQ, SYS_io_uring_register),
		REFUSE(EPERM),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
		ALLOW,
		FIELD(args[0]), /* the low half: the domain is an int, and both architectures are little-endian */
		IF(BPF_JEQ, AF_VSOCK),
		REFUSE(EAFNOSUPPORT),
		ALLOW,
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
		return complain("seccomp");
	return 0;
}

/* Runs in the child and executes the agent. Returns an exit code when that fails. */
static int become_agent(char **command, int null, int log, int error_log, int control)
{
	if (dup2(null, STDIN_FILENO) == -1 || dup2(log, STDOUT_FILENO) == -1 || dup2(control, CONTROL_FD) == -1 ||
	    dup2(error_log, STDERR_FILENO) == -1) {
		complain("dup2");
		return EXIT_DESCRIPTORS;
	}
	closefrom(CONTROL_FD + 1);
	if (refuse_system_calls() == -1)
		return EXIT_FILTER;
	/* Functions still get their share of the processor; an error is ignored. */
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});

	execvp(command[0], command);
	int code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	complain(command[0]);
	return code;
}

/*
 * Closes the agent's descriptors, because the host sees the agent's end by its connections, and makes the launcher not
 * dumpable, so that the function cannot inspect it.
 */
static int keep_only(int end, int null)
{
	if (dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 || dup2(null, STDERR_FILENO) == -1 ||
	    dup2(end, END_FD) == -1)
		return -1;
	closefrom(END_FD + 1);
	return prctl(PR_SET_DUMPABLE, 0);
}

/* Waits until the agent has ended; returns its exit code as in a shell. All signals are blocked. */
static int attend(pid_t agent, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	for (;;) {
		if (sigwaitinfo(signals, &info) == -1)
			continue;
		if (info.si_signo != SIGCHLD)
			kill(agent, info.si_signo);
		for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
			if (pid == agent)
				return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

static void report_end(int code)
{
	const unsigned char byte = (unsigned char)code;

	send(END_FD, &byte, sizeof(byte),
	     MSG_DONTWAIT | MSG_NOSIGNAL); /* a host that does not listen learns it in another way */
}

int main(int argc, char **argv)
{
	int control, end, log, error_log, null;
	sigset_t all, before;

	if (argc < 2) {
		dprintf(STDERR_FILENO, "usage: launcher <agent> [argument...]\n");
		return EXIT_USAGE;
	}

	if ((control = connect_to(BERTH_DIR "/control.sock")) == -1 || (end = connect_to(BERTH_DIR "/control.sock")) == -1)
		return EXIT_CONTROL;
	if ((log = connect_to(BERTH_DIR "/log.sock")) == -1 || (error_log = connect_to(BERTH_DIR "/log.sock")) == -1)
		return EXIT_LOG;
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1 || (null = move_up(null)) == -1) {
		complain("/dev/null");
		return EXIT_DESCRIPTORS;
	}

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t agent = fork();
	if (agent == -1) {
		complain("fork");
		return EXIT_FORK;
	}
	if (agent == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return become_agent(argv + 1, null, log, error_log, control);
	}
	if (keep_only(end, null) == -1) {
		kill(agent, SIGKILL);
		return EXIT_DESCRIPTORS;
	}
	int code = attend(agent, &all);
	report_end(code);
	return code;
}
