#include "tests/unit/poolmgr/fake_warden.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"

static int ends[2] = {-1, -1}; /* poolmgr's, ours */
static struct buf scratch;

void fake_warden_start(void)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	cgroup_init(rig.loop, ends[0]);
}

void fake_warden_stop(void)
{
	if (ends[0] < 0)
		return;
	cgroup_deinit();
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	buf_free(&scratch);
}

void fake_warden_hang_up(void)
{
	fd_close(&ends[1]);
}

bool fake_warden_is_asked(void)
{
	struct pollfd p = {.fd = ends[1], .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

struct ipc_msg fake_warden_next(enum ipc_type type)
{
	struct ipc_msg m;
	struct err err;

	WAIT_FOR(fake_warden_is_asked());
	assert_ok(ipc_recv(ends[1], IPC_POOLMGR, 0, &scratch, &m, &err));
	if (m.type != type)
		fail_msg("%s instead of %s", ipc_name(m.type), ipc_name(type));
	return m;
}

struct opening fake_warden_next_open(void)
{
	struct ipc_msg m = fake_warden_next(IPC_CGROUP_OPEN);
	struct opening o = {.seq = m.cgroup_open.seq, .pid = m.cgroup_open.pid};

	assert_true(m.cgroup_open.container.len < sizeof(o.container));
	memcpy(o.container, m.cgroup_open.container.data, m.cgroup_open.container.len);
	return o;
}

struct fake_cgroup fake_cgroup_new(void)
{
	struct fake_cgroup c;

	for (int i = 0; i < CGROUP_FD_COUNT; i++) {
		c.fds[i] = memfd_create("cgroup", MFD_CLOEXEC);
		assert_true(c.fds[i] >= 0);
	}
	return c;
}

void fake_cgroup_say(const struct fake_cgroup *c, enum cgroup_fd file, const char *text)
{
	ssize_t len = (ssize_t)strlen(text);

	assert_int_equal(ftruncate(c->fds[file], 0), 0);
	assert_int_equal(pwrite(c->fds[file], text, (size_t)len, 0), len);
}

void fake_cgroup_free(struct fake_cgroup *c)
{
	for (int i = 0; i < CGROUP_FD_COUNT; i++)
		fd_close(&c->fds[i]);
}

const char *fake_cgroup_written(const struct fake_cgroup *c, enum cgroup_fd file)
{
	static char text[32];

	ssize_t n = pread(c->fds[file], text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(c->fds[file], 0), 0);
	return text;
}

bool fake_cgroup_is_same(int fd, int other)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void answer(const struct ipc_msg *m)
{
	struct err err;

	assert_ok(ipc_send(ends[1], m, &err));
}

void fake_warden_give(uint64_t seq, uint8_t version, const struct fake_cgroup *c)
{
	struct ipc_msg m = {.type = IPC_CGROUP, .cgroup = {.seq = seq, .version = version}};

	memcpy(m.fds, c->fds, sizeof(c->fds));
	answer(&m);
}

void fake_warden_refuse(uint64_t seq, const char *why)
{
	answer(&(struct ipc_msg){.type = IPC_CGROUP_FAILED, .cgroup_failed = {.seq = seq, .why = STR(why)}});
}

void fake_warden_say_ended(const char *container)
{
	answer(&(struct ipc_msg){.type = IPC_SHIM_ENDED, .fds = IPC_NO_FDS, .shim_ended.container = STR(container)});
}

void fake_warden_serve(uint8_t version, const struct fake_cgroup *c)
{
	fake_warden_give(fake_warden_next_open().seq, version, c);
}
