/* The whole warden as the master starts it, in a child process with the inherited descriptors; poolmgr is the test. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "ipc/cgroup_fds.h"
#include "ipc/inherited.h"
#include "ipc/ipc.h"
#include "ipc/scoreboard.h"
#include "tests/support/fake_shim.h"

#define ID         "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TIMEOUT_US INT64_C(20000000)

static struct fixture {
	char *dir, *log;
	struct scoreboard *board;
	int board_fd;
	int life[2];   /* pipe; the test holds the writing end */
	int socket[2]; /* poolmgr's end, the warden's */
	pid_t pid;     /* the warden; 0 while there is none */
	struct buf scratch;
	char *top, *cgroup; /* of the kernel's: …/berth-test-PID[/ID]; NULL: not made */
} f;

static void start(void)
{
	const struct conf conf = {.docker_containerd_dirs = f.dir};
	const struct inherited inherited = {.role = CHILD_WARDEN, .slot = 1, .conf = &conf};

	fflush(NULL);
	f.pid = fork();
	assert_true(f.pid >= 0);
	if (f.pid > 0)
		return;
	int log = open(f.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int board = fcntl(f.board_fd, F_DUPFD, 20), life = fcntl(f.life[0], F_DUPFD, 20);
	int warden = fcntl(f.socket[1], F_DUPFD, 20);
	close(f.life[1]);
	close(f.socket[0]);
	dup2(log, STDERR_FILENO);
	dup2(board, INHERITED_SCOREBOARD_FD);
	dup2(life, INHERITED_LIFE_FD);
	dup2(warden, INHERITED_WARDEN_FD);
	_exit(warden_main(&inherited));
}

/* Its exit status, or minus the signal that ended it. */
static int end(int sig)
{
	int status;

	if (sig != 0)
		kill(f.pid, sig);
	assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
	f.pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void send_to_it(const struct ipc_msg *m)
{
	struct err err;

	assert_ok(ipc_send(f.socket[0], m, &err));
}

static void ask(uint64_t seq, const char *container, pid_t pid)
{
	send_to_it(&(struct ipc_msg){
		.type = IPC_CGROUP_OPEN,
		.cgroup_open = {.seq = seq, .container = STR(container), .pid = (uint32_t)pid},
	});
}

static struct ipc_msg answer(void)
{
	struct pollfd p = {.fd = f.socket[0], .events = POLLIN};
	struct ipc_msg m;
	struct err err;

	assert_int_equal(poll(&p, 1, (int)(TIMEOUT_US / 1000)), 1);
	assert_int_equal(ipc_recv(f.socket[0], IPC_WARDEN, 0, &f.scratch, &m, &err), 1);
	return m;
}

/* It still answers, and so has done with all that was sent before. */
static void assert_it_serves(void)
{
	static uint64_t seq = 1000;

	ask(++seq, "no container", getpid());
	struct ipc_msg m = answer();
	assert_int_equal(m.type, IPC_CGROUP_FAILED);
	assert_int_equal(m.cgroup_failed.seq, seq);
}

static bool has_logged(const char *part)
{
	char text[8192];
	FILE *in = fopen(f.log, "re");

	if (in == NULL)
		return false;
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return strstr(text, part) != NULL;
}

static int count_fds(void)
{
	AUTO(mem_free) char *path = mem_printf("/proc/%d/fd", f.pid);
	DIR *list = opendir(path);
	int count = 0;

	assert_non_null(list);
	while (readdir(list) != NULL)
		count++;
	closedir(list);
	return count;
}

/* ---- Its life ---- */

static void it_says_when_it_is_ready_and_ends_well_when_it_is_told_to(void **state)
{
	const struct slot *slot = scoreboard_slot(f.board, 1);

	(void)state;
	start();
	assert_it_serves();
	assert_int_equal(atomic_load(&slot->state), SLOT_IDLE);
	assert_int_equal(end(SIGTERM), 0);
	assert_int_equal(atomic_load(&slot->state), SLOT_STOPPING);
}

static void it_ends_with_the_master(void **state)
{
	(void)state;
	start();
	assert_it_serves();
	fd_close(&f.life[1]);
	assert_int_equal(end(0), 0);
}

static void what_was_asked_before_it_died_the_next_one_answers(void **state)
{
	(void)state;
	start();
	assert_it_serves();
	assert_int_equal(end(SIGKILL), -SIGKILL);
	ask(7, "no container", getpid());
	start();
	struct ipc_msg m = answer();
	assert_int_equal(m.type, IPC_CGROUP_FAILED);
	assert_int_equal(m.cgroup_failed.seq, 7);
}

static void without_what_the_master_gives_it_it_does_not_start(void **state)
{
	(void)state;
	fd_close(&f.board_fd);
	f.board_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	start();
	assert_int_equal(end(0), EXIT_FAILURE);
	assert_true(has_logged("cannot start"));
}

/* ---- What it refuses ---- */

static void a_process_that_is_in_no_container_is_refused_and_the_reason_told(void **state)
{
	(void)state;
	start();
	ask(1, ID, getpid());
	struct ipc_msg m = answer();
	assert_int_equal(m.type, IPC_CGROUP_FAILED);
	assert_int_equal(m.cgroup_failed.seq, 1);
	AUTO(mem_free) char *why = mem_strndup(m.cgroup_failed.why.data, m.cgroup_failed.why.len);
	assert_non_null(strstr(why, "the process is in no cgroup of container 001122334455"));
}

static void what_is_not_for_it_is_closed_and_passed_over(void **state)
{
	AUTO(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	start();
	assert_it_serves();
	int before = count_fds();
	send_to_it(&(struct ipc_msg){
		.type = IPC_GRANT,
		.grant = {.start_kind = IPC_START_WARM, .sandbox_id = STR(""), .function_id = {{0}}},
		.fds = {null, null, null, null, null},
	});
	send_to_it(&(struct ipc_msg){.type = IPC_HELLO, .fds = IPC_NO_FDS}); /* what a worker says */
	assert_int_equal(send(f.socket[0], "garbage", 7, 0), 7);
	assert_it_serves();
	assert_int_equal(count_fds(), before);
	assert_true(has_logged("GRANT is not for the warden"));
	assert_true(has_logged("message refused"));
}

static void a_kill_with_files_that_are_no_cgroups_kills_nobody(void **state)
{
	AUTO(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	start();
	assert_it_serves();
	int before = count_fds();
	send_to_it(&(struct ipc_msg){.type = IPC_CGROUP_KILL, .fds = {null, null, -1, -1, -1}});
	assert_it_serves();
	assert_int_equal(count_fds(), before);
	assert_true(has_logged("nothing killed: not the files of a container's cgroup"));
}

/* ---- What it does, in a cgroup of the kernel's ---- */

static void write_file(const char *of, const char *name, const char *what)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", of, name);

	unit_write_file(path, what);
}

static bool is_v1(void)
{
	return access("/sys/fs/cgroup/freezer/cgroup.procs", W_OK) == 0;
}

static bool make_cgroup(void)
{
	f.top = mem_printf("%s/berth-test-%d", is_v1() ? "/sys/fs/cgroup/freezer" : "/sys/fs/cgroup", getpid());
	f.cgroup = mem_printf("%s/%s", f.top, ID);
	if (mkdir(f.top, 0755) == 0 && mkdir(f.cgroup, 0755) == 0)
		return true;
	print_message("skipped: no cgroup can be made: %s\n", strerror(errno));
	return false;
}

static pid_t start_in_cgroup(void)
{
	fflush(NULL);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(30); /* should the test be killed itself */
		write_file(f.cgroup, "cgroup.procs", "0");
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void the_files_of_a_containers_cgroup_freeze_it_and_end_it(void **state)
{
	int status;

	(void)state;
	if (!make_cgroup())
		UNIT_SKIP("no cgroup can be made");
	start();
	pid_t pid = start_in_cgroup();
	ask(3, ID, pid);
	struct ipc_msg m = answer();
	if (m.type == IPC_CGROUP_FAILED)
		fail_msg("%.*s", (int)m.cgroup_failed.why.len, m.cgroup_failed.why.data);
	assert_int_equal(m.type, IPC_CGROUP);
	assert_int_equal(m.cgroup.seq, 3);
	assert_int_equal(m.cgroup.version, is_v1() ? 1 : 2);
	if (m.cgroup.version == 1) {
		assert_int_equal(pwrite(m.fds[CGROUP_FREEZER], "FROZEN", 6, 0), 6);
		send_to_it(&(struct ipc_msg){.type = IPC_CGROUP_KILL,
					     .fds = {m.fds[CGROUP_KILL], m.fds[CGROUP_FREEZER], -1, -1, -1}});
	} else {
		assert_int_equal(pwrite(m.fds[CGROUP_KILL], "1", 1, 0), 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ipc_close_fds(&m);
	assert_it_serves();
}

/* ---- Shims ---- */

static struct shim_fixture {
	char *state, *sandboxes; /* containerd's directory, and that of our sandboxes */
	pid_t pid;
} shim;

/* Linux has the call since 5.3; valgrind 3.19 does not know it. */
static bool has_pidfds(void)
{
	AUTO(fd_close) int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	return fd >= 0 || errno != ENOSYS;
}

static void start_shim(void)
{
	shim.state = mem_printf("%s/containerd", f.dir);
	shim.sandboxes = mem_printf("%s/sandboxes", f.dir);
	shim.pid = fake_shim_start(f.dir, ID);
	start();
}

static void end_shim(void)
{
	fake_shim_end(shim.pid);
	mem_free(&shim.state);
	mem_free(&shim.sandboxes);
}

static void make_bundle(const char *state, const char *in, const char *at)
{
	AUTO(mem_free) char *source = mem_printf("%s/aaaaaaaaaaaaaaaa", in);

	fake_shim_make_bundle(state, ID, source, at);
}

static void ask_to_end(const char *container, pid_t pid, const char *directory)
{
	send_to_it(&(struct ipc_msg){
		.type = IPC_SHIM_END,
		.fds = IPC_NO_FDS,
		.shim_end = {.container = STR(container), .pid = (uint32_t)pid, .directory = STR(directory)},
	});
}

static void assert_it_is_ended(void)
{
	int status;

	ask_to_end(ID, shim.pid, shim.sandboxes);
	struct ipc_msg m = answer();
	assert_int_equal(m.type, IPC_SHIM_ENDED);
	assert_int_equal(m.shim_ended.container.len, strlen(ID));
	assert_memory_equal(m.shim_ended.container.data, ID, strlen(ID));
	assert_int_equal(waitpid(shim.pid, &status, 0), shim.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void the_shim_of_a_sandbox_is_ended(void **state)
{
	(void)state;
	if (!has_pidfds())
		UNIT_SKIP("no pidfd_open");
	start_shim();
	make_bundle(shim.state, shim.sandboxes, "/berth");
	assert_it_is_ended();
	end_shim();
}

static void the_shim_of_a_sandbox_is_ended_where_docker_engine_runs_containerd(void **state)
{
	(void)state;
	if (!has_pidfds())
		UNIT_SKIP("no pidfd_open");
	start_shim();
	AUTO(mem_free) char *below = mem_printf("%s/daemon", shim.state);
	make_bundle(below, shim.sandboxes, "/berth");
	assert_it_is_ended();
	end_shim();
}

static void what_runs_in_its_container_ends_with_it(void **state)
{
	int status;

	(void)state;
	if (!has_pidfds())
		UNIT_SKIP("no pidfd_open");
	if (!make_cgroup())
		UNIT_SKIP("no cgroup can be made");
	start_shim();
	make_bundle(shim.state, shim.sandboxes, "/berth");
	pid_t pid = start_in_cgroup();
	fake_shim_set_init(shim.state, ID, pid);
	assert_it_is_ended();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	end_shim();
}

/* Asks for each, and for one that is no shim at all. */
static void a_process_that_is_not_the_shim_of_a_sandbox_of_ours_is_left_alone(void **state)
{
	static const char other[] = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	(void)state;
	start_shim();
	AUTO(mem_free) char *others = mem_printf("%s-of-others", shim.sandboxes);
	ask_to_end(ID, shim.pid, shim.sandboxes); /* nothing says what the container is */
	make_bundle(shim.state, others, "/berth");
	ask_to_end(ID, shim.pid, shim.sandboxes);
	ask_to_end(ID, shim.pid, "");
	assert_it_serves();
	make_bundle(shim.state, shim.sandboxes, "/elsewhere");
	ask_to_end(ID, shim.pid, shim.sandboxes);
	assert_it_serves();
	make_bundle(shim.state, shim.sandboxes, "/berth");
	ask_to_end(other, shim.pid, shim.sandboxes);
	ask_to_end("../" ID, shim.pid, shim.sandboxes);
	ask_to_end("", shim.pid, shim.sandboxes);
	ask_to_end(ID, getpid(), shim.sandboxes);
	ask_to_end(ID, 0, shim.sandboxes);
	ask_to_end(ID, (pid_t)-1, shim.sandboxes);
	assert_it_serves();
	AUTO(mem_free) char *bundle = mem_printf("%s/io.containerd.runtime.v2.task/moby/" ID, shim.state);
	write_file(bundle, "config.json", "{\"mounts\": [7, {\"destination\": 1}, null]");
	ask_to_end(ID, shim.pid, shim.sandboxes);
	assert_it_serves();
	assert_true(fake_shim_is_alive(shim.pid));
	end_shim();
}

/* ---- */

static int each(void **state)
{
	struct err err;

	(void)state;
	f = (struct fixture){.dir = unit_make_dir()};
	f.log = mem_printf("%s/log", f.dir);
	assert_ok(scoreboard_create(2, &f.board, &f.board_fd, &err));
	assert_int_equal(pipe2(f.life, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f.socket), 0);
	return 0;
}

static void remove_cgroup(void)
{
	int64_t start_us = clock_mono_us();

	while (f.cgroup != NULL && rmdir(f.cgroup) < 0 && errno == EBUSY && clock_mono_us() - start_us < TIMEOUT_US)
		usleep(1000); /* a test that failed leaves a process there that ends itself */
	if (f.top != NULL)
		rmdir(f.top);
	mem_free(&f.cgroup);
	mem_free(&f.top);
}

static int nothing_is_left(void **state)
{
	(void)state;
	if (f.pid > 0)
		end(SIGKILL);
	remove_cgroup();
	for (int i = 0; i < 2; i++) {
		fd_close(&f.life[i]);
		fd_close(&f.socket[i]);
	}
	fd_close(&f.board_fd);
	scoreboard_close(&f.board);
	buf_free(&f.scratch);
	mem_free(&f.log);
	unit_remove_dir(&f.dir);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, nothing_is_left)
	const struct CMUnitTest tests[] = {
		TEST(it_says_when_it_is_ready_and_ends_well_when_it_is_told_to),
		TEST(it_ends_with_the_master),
		TEST(what_was_asked_before_it_died_the_next_one_answers),
		TEST(without_what_the_master_gives_it_it_does_not_start),
		TEST(a_process_that_is_in_no_container_is_refused_and_the_reason_told),
		TEST(what_is_not_for_it_is_closed_and_passed_over),
		TEST(a_kill_with_files_that_are_no_cgroups_kills_nobody),
		TEST(the_files_of_a_containers_cgroup_freeze_it_and_end_it),
		TEST(the_shim_of_a_sandbox_is_ended),
		TEST(the_shim_of_a_sandbox_is_ended_where_docker_engine_runs_containerd),
		TEST(what_runs_in_its_container_ends_with_it),
		TEST(a_process_that_is_not_the_shim_of_a_sandbox_of_ours_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
