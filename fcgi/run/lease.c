#include "run/lease.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/discreet.h"
#include "http/json_text.h"
#include "run/link.h"

/* poolmgr answers before this time (poolmgr/sandbox/postmortem.c). */
#define POSTMORTEM_US 5500000

struct lease_client {
	struct link *link;
	bool keeps;
	bool in_hand; /* this entry is in use */
	uint64_t hand_id;
	bool hand_recalled;
	int kept_count;
	struct lease kept[LEASE_KEPT_MAX]; /* least recently used first */
};

static void close_lease(struct lease *lease)
{
	int *fds[] = {&lease->control_fd,   &lease->log_fd,          &lease->error_log_fd,
		      &lease->meter.cpu_fd, &lease->meter.memory_fd, &lease->meter.oom_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
	buf_free(&lease->init);
	mask_free(&lease->mask);
	loaded_free(&lease->loaded);
	*lease = LEASE_NONE;
}

/* ---- What is kept ---- */

static struct lease take_kept(struct lease_client *c, int index)
{
	struct lease lease = c->kept[index];

	c->kept_count--;
	memmove(&c->kept[index], &c->kept[index + 1], (size_t)(c->kept_count - index) * sizeof(lease));
	return lease;
}

static struct str text_of(const struct buf *b)
{
	return (struct str){buf_str(b), (uint32_t)b->len};
}

/* Ends the lease and tells poolmgr. */
static void give_back(struct lease_client *c, struct lease *lease, enum counter destroy_reason)
{
	struct ipc_msg msg = {.type = IPC_RELEASE,
			      .release = {.lease_id = lease->id,
					  .runs = lease->runs,
					  .busy_us = (uint64_t)lease->busy_us,
					  .cpu_read_us = (uint64_t)lease->meter.cpu_read_us, /* -1: IPC_CPU_UNKNOWN */
					  .restless = lease->meter.restless,
					  .reason = (uint8_t)destroy_reason,
					  .last_id = lease->last.id,
					  .last_at_us = (uint64_t)lease->last.requested_at_us,
					  .last_room = lease->last.room,
					  .loaded_out = text_of(&lease->loaded.texts[PRINTED_STDOUT]),
					  .loaded_error = text_of(&lease->loaded.texts[PRINTED_STDERR]),
					  .loaded_lost = lease->loaded.lost}};
	char sandbox_id[sizeof(lease->sandbox_id)];
	struct err err = {0};

	/* Its sockets are closed before poolmgr can give it to another worker; the message borrows what was printed. */
	memcpy(sandbox_id, lease->sandbox_id, sizeof(sandbox_id));
	struct loaded loaded = lease->loaded;
	lease->loaded = (struct loaded){0};
	close_lease(lease);
	if (link_fd(c->link) >= 0 && link_send(c->link, &msg, &err) < 0)
		log_sandbox(LOG_WARN, sandbox_id, "sandbox not given back: %s", err.msg);
	loaded_free(&loaded);
}

static void give_back_kept(struct lease_client *c, int index)
{
	struct lease lease = take_kept(c, index);

	give_back(c, &lease, 0);
}

void lease_set_asker(struct lease_client *c, int fd)
{
	link_set_asker(c->link, fd);
}

bool lease_keeps_any(const struct lease_client *c)
{
	return c->kept_count > 0;
}

void lease_give_back(struct lease_client *c)
{
	while (c->kept_count > 0)
		give_back_kept(c, 0);
}

int64_t lease_expire(struct lease_client *c, int64_t now_us)
{
	while (c->kept_count > 0 && now_us - c->kept[0].since_us >= LEASE_KEEP_US)
		give_back_kept(c, 0);
	return c->kept_count > 0 ? c->kept[0].since_us + LEASE_KEEP_US : INT64_MAX;
}

static void on_recall(uint64_t lease_id, void *arg)
{
	struct lease_client *c = arg;

	if (c->in_hand && lease_id == c->hand_id)
		c->hand_recalled = true;
	for (int i = 0; i < c->kept_count; i++) {
		if (c->kept[i].id == lease_id) {
			give_back_kept(c, i);
			return;
		}
	}
}

/* The poolmgr that granted the kept sandboxes destroys them, or the next one does. */
static void on_lost(void *arg)
{
	struct lease_client *c = arg;

	while (c->kept_count > 0) {
		struct lease lease = take_kept(c, 0);
		close_lease(&lease);
	}
}

static bool is_for(const struct lease *kept, const char *function, uint32_t version)
{
	return kept->asked_version == version && strcmp(kept->function, function) == 0;
}

/* The most recently used one is the likeliest to be in the processor's caches. */
static bool find_kept(struct lease_client *c, const char *function, uint32_t version, struct lease *lease)
{
	for (int i = c->kept_count - 1; i >= 0; i--) {
		if (is_for(&c->kept[i], function, version)) {
			*lease = take_kept(c, i);
			lease->start_kind = IPC_START_WARM;
			return true;
		}
	}
	return false;
}

static void keep(struct lease_client *c, struct lease *lease)
{
	if (c->kept_count == LEASE_KEPT_MAX)
		give_back_kept(c, 0);
	if (link_fd(c->link) < 0) { /* the connection broke just now, and this sandbox is lost with it */
		close_lease(lease);
		return;
	}
	buf_free(&lease->init);
	lease->start_cause[0] = '\0';
	c->kept[c->kept_count++] = *lease;
	*lease = LEASE_NONE;
}

/* ---- Getting one ---- */

static void take_in_hand(struct lease_client *c, struct lease *lease)
{
	assert(!c->in_hand);
	lease->since_us = clock_mono_us();
	c->in_hand = true;
	c->hand_id = lease->id;
	c->hand_recalled = false;
	link_set_held(c->link, lease->sandbox_id);
}

static void copy_text(char *to, size_t size, struct str from)
{
	text_copy(to, size, from.data, from.len);
}

static void deny(struct denial *denial, const struct ipc_deny *d)
{
	static const struct uuid none;
	enum problem_code code = (enum problem_code)d->code;
	json_t *members = json_object();
	char detail[900];

	if (code == PROBLEM_THROTTLED && d->reason != THROTTLED_NONE)
		json_object_set_new(members, "reason", json_string(throttled_name((enum throttled)d->reason)));
	if (discreet_text(d->detail.data, d->detail.len, detail, sizeof(detail)))
		log_info("no sandbox: %.*s", (int)d->detail.len, d->detail.data);
	/* libpq's messages about the connection contain host and user, so they are not passed on; poolmgr has logged them. */
	problem_set(&denial->problem, code, members, "%s", code == PROBLEM_STORE_UNAVAILABLE ? "" : detail);
	denial->problem.retry_after_ms = d->retry_after_ms;
	denial->known = memcmp(&d->function_id, &none, sizeof(none)) != 0;
	denial->function_id = d->function_id;
	denial->version = d->version;
}

static void take_grant(struct lease_client *c, struct ipc_msg *msg, struct lease *lease)
{
	const struct ipc_grant *g = &msg->grant;

	*lease = (struct lease){
		.id = g->lease_id,
		.generation = link_generation(c->link),
		.start_kind = (enum ipc_start_kind)g->start_kind,
		.function_id = g->function_id,
		.version = g->version,
		.timeout_ms = g->timeout_ms,
		.init_timeout_ms = g->init_timeout_ms,
		.memory_limit_mb = g->memory_limit_mb,
		.response_bytes = g->response_bytes,
		.log_bytes = g->log_bytes,
		.single_use = g->single_use != 0,
		.usual_us = g->usual_us,
		.control_fd = TAKE_FD(msg->fds[0]),
		.log_fd = TAKE_FD(msg->fds[1]),
		.error_log_fd = TAKE_FD(msg->fds[2]),
		.meter = {.cpu_fd = TAKE_FD(msg->fds[3]),
			  .memory_fd = TAKE_FD(msg->fds[4]),
			  .oom_fd = TAKE_FD(msg->fds[5]),
			  .limit_bytes = (int64_t)g->memory_limit_mb << 20,
			  .cpu_read_us = (int64_t)g->cpu_read_us,
			  .restless = g->restless != 0},
		.last = {g->last_id, (int64_t)g->last_at_us, g->last_room},
	};
	copy_text(lease->sandbox_id, sizeof(lease->sandbox_id), g->sandbox_id);
	copy_text(lease->runtime, sizeof(lease->runtime), g->runtime);
	copy_text(lease->start_cause, sizeof(lease->start_cause), g->start_cause);
	loaded_add(&lease->loaded, PRINTED_STDOUT, g->loaded_out.data, g->loaded_out.len);
	loaded_add(&lease->loaded, PRINTED_STDERR, g->loaded_error.data, g->loaded_error.len);
	lease->loaded.lost += g->loaded_lost;
	if (g->init.len > 0)
		buf_add(&lease->init, g->init.data, g->init.len);
	lease->mask = mask_new(g->secrets.data, g->secrets.len);
	take_in_hand(c, lease);
}

static int withdrawn(struct denial *denial)
{
	denial->withdrawn = true;
	problem_set(&denial->problem, PROBLEM_OVERLOADED, NULL, "The client left before there was a sandbox");
	return -1;
}

/*
 * Gives back a sandbox that was granted when the client had left. Only if it has loaded the function already, poolmgr may give
 * it to the next request as it is.
 */
static void give_back_unused(struct lease_client *c, struct lease *lease)
{
	enum counter destroy_reason = lease->init.len > 0 ? COUNT_KILL_UNUSED : 0;

	c->in_hand = false;
	link_set_held(c->link, "");
	give_back(c, lease, destroy_reason);
}

static int ask_for_sandbox(struct lease_client *c, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us,
			   struct lease *lease, struct denial *denial)
{
	struct ipc_msg answer;
	struct err err = {0};

	if (link_ask(c->link, question, seq, deadline_us, &answer, &err) < 0) {
		if (link_asker_has_left(c->link))
			return withdrawn(denial);
		log_warn("no sandbox: %s", err.msg);
		problem_set(&denial->problem, err.code == ETIMEDOUT ? PROBLEM_OVERLOADED : PROBLEM_RUNTIME_UNAVAILABLE, NULL,
			    err.code == ETIMEDOUT ? "The pool manager did not answer in time; the function was not run"
						  : "The pool manager cannot be reached; the function was not run");
		return -1;
	}
	if (answer.type == IPC_WITHDRAWN)
		return withdrawn(denial);
	if (answer.type == IPC_DENY) {
		deny(denial, &answer.deny);
		denial->withdrawn = link_asker_has_left(c->link);
		return -1;
	}
	take_grant(c, &answer, lease);
	if (!link_asker_has_left(c->link))
		return 0;
	give_back_unused(c, lease);
	return withdrawn(denial);
}

int lease_acquire(struct lease_client *c, const char *function, uint32_t version, const char *request_id, int64_t deadline_us,
		  struct lease *lease, struct denial *denial)
{
	struct ipc_msg msg = {.type = IPC_LEASE,
			      .lease = {.function = STR(function),
					.version = version,
					.deadline_us = (uint64_t)deadline_us,
					.request_id = STR(request_id)}};

	if (find_kept(c, function, version, lease)) {
		take_in_hand(c, lease);
		return 0;
	}
	if (ask_for_sandbox(c, &msg, &msg.lease.seq, deadline_us, lease, denial) < 0)
		return -1;
	if (c->keeps && strlen(function) <= LEASE_FUNCTION_MAX)
		strcpy(lease->function, function);
	lease->asked_version = version;
	return 0;
}

/* A memory file that can no longer be changed, to be read from its start. */
static int sealed_memfd(const void *data, size_t len, struct err *err)
{
	AUTO(fd_close) int fd = memfd_create("berth-package", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const char *p = data;

	if (fd < 0)
		return err_set(err, errno, "memfd_create");
	/* pwrite leaves the file position at the start; the receiver shares it. */
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, p + done, len - done, (off_t)done);
		if (n < 0)
			return err_set(err, errno, "write a package of %zu bytes to memory", len);
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return err_set(err, errno, "seal a package");
	return TAKE_FD(fd);
}

static int check(struct lease_client *c, struct ipc_msg *msg, uint64_t *seq, int64_t deadline_us, struct lease *lease,
		 struct denial *denial)
{
	if (ask_for_sandbox(c, msg, seq, deadline_us, lease, denial) < 0)
		return -1;
	lease->is_trial = true;
	return 0;
}

static int check_stored(struct lease_client *c, const char *spec, const char *request_id, int64_t deadline_us,
			struct lease *lease, struct denial *denial)
{
	struct ipc_msg msg = {
		.type = IPC_CHECK_STORED,
		.check_stored = {.spec = STR(spec), .deadline_us = (uint64_t)deadline_us, .request_id = STR(request_id)}};

	return check(c, &msg, &msg.check_stored.seq, deadline_us, lease, denial);
}

static int check_archive(struct lease_client *c, const char *spec, const void *archive, size_t archive_len,
			 const char *request_id, int64_t deadline_us, struct lease *lease, struct denial *denial)
{
	struct err err = {0};
	AUTO(fd_close) int fd = sealed_memfd(archive, archive_len, &err);
	struct ipc_msg msg = {.type = IPC_CHECK,
			      .check = {.spec = STR(spec), .deadline_us = (uint64_t)deadline_us, .request_id = STR(request_id)},
			      .fds = {fd, -1, -1, -1, -1, -1}};

	if (fd >= 0)
		return check(c, &msg, &msg.check.seq, deadline_us, lease, denial);
	log_error("%s", err.msg);
	problem_set(&denial->problem, PROBLEM_INTERNAL_ERROR, NULL, "The package could not be handed to the pool manager");
	return -1;
}

int lease_check(struct lease_client *c, const char *spec, const void *archive, size_t archive_len, const char *request_id,
		int64_t deadline_us, struct lease *lease, struct denial *denial)
{
	if (archive == NULL)
		return check_stored(c, spec, request_id, deadline_us, lease, denial);
	return check_archive(c, spec, archive, archive_len, request_id, deadline_us, lease, denial);
}

void lease_release(struct lease_client *c, struct lease *lease, enum counter destroy_reason)
{
	int64_t now_us = clock_mono_us();
	bool same_poolmgr = lease->generation == link_generation(c->link);

	if (!lease->is_trial) {
		lease->runs++;
		lease->busy_us += now_us - lease->since_us;
	}
	lease->since_us = now_us;
	c->in_hand = false;
	link_set_held(c->link, "");
	if (!same_poolmgr) {
		/* A poolmgr that did not grant the lease knows the sandbox only through this connection. */
		close_lease(lease);
		link_close(c->link);
	} else if (destroy_reason == 0 && lease->function[0] != '\0' && !lease->single_use && !lease->meter.restless &&
		   !c->hand_recalled && link_fd(c->link) >= 0) {
		keep(c, lease);
	} else {
		give_back(c, lease, destroy_reason);
	}
}

/* ---- Watching poolmgr, and what else there is to ask ---- */

bool lease_is_ours(const struct lease_client *c)
{
	return c->in_hand && !c->hand_recalled && link_fd(c->link) >= 0;
}

int lease_watch_fd(const struct lease_client *c)
{
	return link_fd(c->link);
}

uint64_t lease_watch_generation(const struct lease_client *c)
{
	return link_generation(c->link);
}

int64_t lease_watch_due_us(const struct lease_client *c)
{
	return link_maintain_due_us(c->link);
}

void lease_watch(struct lease_client *c)
{
	link_maintain(c->link);
}

void lease_hear(struct lease_client *c)
{
	link_hear(c->link);
}

struct finding lease_postmortem(struct lease_client *c, const struct lease *lease)
{
	struct ipc_msg msg = {.type = IPC_POSTMORTEM, .postmortem.lease_id = lease->id};
	struct ipc_msg answer;
	struct err err = {0};

	/* Does not wait for another poolmgr, because one that did not grant the lease knows nothing about it. */
	if (lease->generation != link_generation(c->link) || link_fd(c->link) < 0 ||
	    link_ask_once(c->link, &msg, &msg.postmortem.seq, clock_mono_us() + POSTMORTEM_US, &answer, &err) < 0)
		return (struct finding){0};
	return (struct finding){
		.known = answer.finding.known != 0,
		.out_of_memory = answer.finding.out_of_memory != 0,
		.exit_code = answer.finding.exit_code,
	};
}

int lease_invalidate(struct lease_client *c, const struct uuid *function_id, uint32_t version, int64_t deadline_us,
		     struct err *err)
{
	struct ipc_msg msg = {.type = IPC_INVALIDATE, .invalidate = {.function_id = *function_id, .version = version}};
	struct ipc_msg answer;

	return link_ask(c->link, &msg, &msg.invalidate.seq, deadline_us, &answer, err);
}

int lease_stats(struct lease_client *c, bool whole, int64_t deadline_us, struct buf *json, struct err *err)
{
	struct ipc_msg msg = {.type = IPC_STATS, .stats.whole = whole};
	struct ipc_msg answer;

	if (link_ask(c->link, &msg, &msg.stats.seq, deadline_us, &answer, err) < 0)
		return -1;
	buf_add(json, answer.stats_reply.json.data, answer.stats_reply.json.len);
	return 0;
}

struct lease_client *lease_client_new(const char *run_dir, struct slow_timer *slow_timer, bool keeps)
{
	struct lease_client *c = mem_alloc(sizeof(*c));
	struct link_hooks hooks = {on_recall, on_lost, c};

	c->link = link_new(run_dir, &hooks, slow_timer);
	c->keeps = keeps;
	return c;
}

void lease_client_free(struct lease_client **client)
{
	if (*client == NULL)
		return;
	lease_give_back(*client);
	link_hear((*client)->link); /* unread messages would cause an error at the other end when the socket is closed */
	link_free(&(*client)->link);
	mem_free(client);
}
