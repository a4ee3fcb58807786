#include "poolmgr/sandbox/boot.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/frame.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/sandbox/image.h"
#include "poolmgr/sandbox/sandbox.h"

#define PROTOCOL        1
#define MAX_HELLO_BYTES 4096

static uv_loop_t *loop;
static const struct conf *conf;
static struct docker *docker;

/* Everything is connected and the agent has sent HELLO: removes the sockets, so that nothing else can connect. */
static void become_spare(struct sandbox *s)
{
	fd_close(&s->control_listener);
	fd_close(&s->log_listener);
	unlinkat(s->dir_fd, DIRECTORY_CONTROL, 0);
	unlinkat(s->dir_fd, DIRECTORY_LOG, 0);
	sandbox_is_up(s);
}

static void on_cgroup(const struct err *err, struct cgroup *cgroup, void *arg)
{
	struct sandbox *s = arg;
	static bool complained;

	if (err != NULL && !complained)
		log_warn("sandboxes are neither measured nor frozen: %s", err->msg);
	complained = err != NULL;
	if (s->state == SANDBOX_BOOTING) {
		s->cgroup = *cgroup;
		become_spare(s);
	} else {
		cgroup_close(cgroup);
	}
	sandbox_release_hold(s);
}

/*
 * The agent is connected. The process at the other end of its socket is in the sandbox's cgroup: the agent, or gVisor's kernel
 * on its behalf.
 */
static void find_cgroup(struct sandbox *s)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	sandbox_watch_end(s);
	getsockopt(s->control_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	sandbox_hold(s);
	cgroup_open(s->container_id, peer.pid, on_cgroup, s);
}

/* Returns 0 when *frame is a valid HELLO. */
static int check_hello(const struct frame *frame, struct err *err)
{
	if (frame->type != FRAME_HELLO)
		return err_set(err, EPROTO, "the agent sent %s instead of HELLO", frame_name(frame->type));
	json_t *json = json_loadb(frame->payload, frame->len, 0, NULL);
	json_int_t protocol = json_integer_value(json_object_get(json, "protocol"));
	json_decref(json);
	if (protocol != PROTOCOL)
		return err_set(err, EPROTO, "the agent speaks protocol %d, not %d", (int)protocol, PROTOCOL);
	return 0;
}

static int accept_one(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void on_log_connection(int events, void *arg)
{
	struct sandbox *s = arg;

	(void)events;
	if (s->log_fd < 0) /* the launcher connects for stdout first */
		s->log_fd = accept_one(s->log_listener);
	if (s->log_fd >= 0)
		s->error_log_fd = accept_one(s->log_listener);
	if (s->error_log_fd >= 0)
		watch_free(&s->log_watch);
}

static void on_hello(int events, void *arg)
{
	struct sandbox *s = arg;
	struct frame frame;
	struct err err;

	(void)events;
	ssize_t n = read(s->control_fd, buf_reserve(&s->in, MAX_HELLO_BYTES), MAX_HELLO_BYTES);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		sandbox_fail_start(s, "the agent ended before it was ready");
		return;
	}
	s->in.len += (size_t)n;
	ptrdiff_t took = frame_decode(s->in.data, s->in.len, MAX_HELLO_BYTES, &frame, &err);
	if (took == 0)
		return;
	if (s->error_log_fd < 0)
		on_log_connection(0, s); /* the event of the first socket may come after this one */
	if (s->end_fd < 0)
		s->end_fd = accept_one(s->control_listener); /* the launcher's own connection comes second */
	if (took < 0 || check_hello(&frame, &err) < 0)
		sandbox_fail_start(s, err.msg);
	else if ((size_t)took != s->in.len)
		sandbox_fail_start(s, "the agent sent more than HELLO");
	else if (s->error_log_fd < 0 || s->end_fd < 0)
		sandbox_fail_start(s, "the agent sent HELLO without opening its other connections");
	else if (s->state != SANDBOX_BOOTING)
		sandbox_fail_start(s, "HELLO arrived before the container was started");
	else
		find_cgroup(s);
}

static void on_control_connection(int events, void *arg)
{
	struct sandbox *s = arg;

	(void)events;
	s->control_fd = accept_one(s->control_listener);
	if (s->control_fd < 0)
		return;
	watch_free(&s->control_watch);
	s->control_watch = watch_new(loop, s->control_fd, UV_READABLE | UV_DISCONNECT, on_hello, s);
}

static int make_sockets(struct sandbox *s, struct err *err)
{
	s->dir_fd = directory_make(s->id, s->uid, err);
	if (s->dir_fd < 0)
		return -1;
	s->control_listener = fd_listen_unix(s->dir_fd, DIRECTORY_CONTROL, SOCK_STREAM | SOCK_NONBLOCK, 0666, 2, err);
	if (s->control_listener < 0)
		return -1;
	s->log_listener = fd_listen_unix(s->dir_fd, DIRECTORY_LOG, SOCK_STREAM | SOCK_NONBLOCK, 0666, 2, err);
	if (s->log_listener < 0)
		return -1;
	s->control_watch = watch_new(loop, s->control_listener, UV_READABLE, on_control_connection, s);
	s->log_watch = watch_new(loop, s->log_listener, UV_READABLE, on_log_connection, s);
	return 0;
}

static void on_container_created(const struct err *err, const char *container_id, void *arg)
{
	struct sandbox *s = arg;

	if (err == NULL)
		snprintf(s->container_id, sizeof(s->container_id), "%s", container_id);
	if (s->state != SANDBOX_DYING && err == NULL)
		sandbox_set_state(s, SANDBOX_BOOTING);
	else if (s->state != SANDBOX_DYING)
		sandbox_fail_start(s, err->msg);
	if (err != NULL)
		sandbox_release_hold(s); /* otherwise the start is under way, and its callback does that */
}

static void on_container_started(const struct err *err, void *arg)
{
	struct sandbox *s = arg;

	s->started_us = clock_mono_us();
	if (err != NULL && sandbox_is_starting(s)) /* otherwise its agent is up, whatever Docker says */
		sandbox_fail_start(s, err->msg);
	sandbox_release_hold(s);
}

void boot_start(struct shape *shape)
{
	struct sandbox *s = sandbox_new(shape);
	AUTO(mem_free) char *host_dir = directory_path(s->id);
	AUTO(json_decrefp) json_t *command = language_command_new(shape->key.language_version->language, shape->key.memory_mb);
	struct err err;

	counters[COUNT_START]++;
	snprintf(s->image_id, sizeof(s->image_id), "%s", image_of(shape->key.language_version));
	if (make_sockets(s, &err) < 0) {
		sandbox_fail_start(s, err.msg);
		return;
	}
	struct docker_launch launch = {
		.sandbox_id = s->id,
		.driver = shape->key.driver,
		.image = shape->key.language_version->image,
		.command = command,
		.host_dir = host_dir,
		.uid = s->uid,
		.memory_mb = shape->key.memory_mb,
		.own_memory_mb = shape_memory_mb(shape) - shape->key.memory_mb,
		.cpu_millis = shape->key.cpu_millis,
		.tmp_mb = shape->key.tmp_mb,
		.tmp_inodes = shape->key.tmp_inodes,
		.pids = shape->key.pids,
		.nofile = shape->key.nofile,
		.egress = shape->key.egress,
	};
	sandbox_hold(s);
	docker_start(docker, &launch, on_container_created, on_container_started, s);
}

void boot_tick(int64_t now_us)
{
	struct sandbox *s, *next;

	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_BOOTING], s, next) {
		if (now_us - s->since_us > conf->pool_boot_timeout_ms * 1000)
			sandbox_fail_start(s, "the sandbox was not ready within pool.boot_timeout_ms");
	}
}

void boot_init(uv_loop_t *l, const struct conf *c, struct docker *d)
{
	loop = l;
	docker = d;
	boot_set_conf(c);
}

void boot_set_conf(const struct conf *c)
{
	conf = c;
}
