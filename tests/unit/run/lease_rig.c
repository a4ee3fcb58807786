#include "tests/unit/run/lease_rig.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/fd.h"

int go_fd;

int lease_rig_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = unit_make_dir();
	f->client = lease_client_new(f->dir, NULL, true);
	go_fd = eventfd(0, EFD_CLOEXEC);
	f->lease = LEASE_NONE;
	*state = f;
	return 0;
}

int lease_rig_tear_down(void **state)
{
	struct fixture *f = *state;

	problem_clear(&f->denial.problem);
	lease_client_free(&f->client);
	fake_poolmgr_kill(&f->poolmgr);
	int *fds[] = {&f->lease.control_fd,   &f->lease.log_fd,          &f->lease.error_log_fd,
		      &f->lease.meter.cpu_fd, &f->lease.meter.memory_fd, &f->lease.meter.oom_fd};
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
	buf_free(&f->lease.init);
	fd_close(&go_fd);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

void lease_rig_serve(struct fixture *f, void (*const *scripts)(int fd), int count, int restart)
{
	fake_poolmgr_start(&f->poolmgr, f->dir, scripts, count, restart);
}

int acquire(struct fixture *f, int64_t slow_timer_us)
{
	return lease_acquire(f->client, "hello", 3, "req-1", clock_mono_us() + slow_timer_us, &f->lease, &f->denial);
}

void use_one(struct fixture *f, const char *function, uint32_t version, enum ipc_start_kind expected)
{
	int64_t deadline_us = clock_mono_us() + 5 * SECOND;

	if (lease_acquire(f->client, function, version, "req-1", deadline_us, &f->lease, &f->denial) < 0)
		fail_msg("no lease of %s: %s", function, f->denial.problem.detail);
	assert_int_equal(f->lease.start_kind, expected);
	lease_release(f->client, &f->lease, 0);
	assert_int_equal(f->lease.control_fd, -1);
}

void await_word(const struct fixture *f)
{
	struct pollfd p = {.fd = lease_watch_fd(f->client), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
}

void await_hangup(const struct fixture *f)
{
	struct pollfd p = {.fd = lease_watch_fd(f->client), .events = 0};

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(p.revents & POLLHUP);
}

void idle_agent(int control, int log)
{
	(void)log;
	fake_agent_wait_for_close(control);
}

void grant_one(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_check(m.lease.function.len == 5 && memcmp(m.lease.function.data, "hello", 5) == 0, "function");
	fake_poolmgr_check(m.lease.version == 3, "version");
	fake_poolmgr_check(fake_poolmgr_held[0] == '\0', "nothing held");
	fake_poolmgr_check(m.lease.request_id.len == 5, "request id");
	fake_poolmgr_lease_id = FAKE_LEASE_ID;
	fake_poolmgr_grant(fd, &m, "{\"handler\":\"main.handler\"}", idle_agent);
}

void grant_as(int fd, uint64_t lease_id)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_lease_id = lease_id;
	fake_poolmgr_grant(fd, &m, "{}", idle_agent);
}

void expect_back_of(int fd, uint64_t lease_id, uint32_t runs)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.lease_id == lease_id, "lease id");
	fake_poolmgr_check(m.release.runs == runs, "runs");
	fake_poolmgr_check(m.release.reason == 0, "not to be destroyed");
}

void expect_back(int fd, enum counter reason)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.lease_id == FAKE_LEASE_ID, "lease id");
	fake_poolmgr_check(m.release.reason == reason, "reason");
}

void grant_and_take_back(int fd)
{
	grant_one(fd);
	expect_back(fd, 0);
	fake_poolmgr_expect_close(fd);
}
