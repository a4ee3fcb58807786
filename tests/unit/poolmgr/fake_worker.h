/*
 * A worker of the pool in rig.h, over a real connection. What it does not expect fails the test. A real one has one question
 * open at a time and few sandboxes: where a test goes on asking it stands for as many as are needed, each with a connection of
 * its own.
 */
#ifndef UNIT_POOLMGR_FAKE_WORKER_H
#define UNIT_POOLMGR_FAKE_WORKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/uuid.h"
#include "ipc/ipc.h"
#include "poolmgr/sandbox/sandbox.h"

#define WORKER_CONNECTIONS 310
struct worker {
	int fd;       /* the first connection */
	uint64_t seq; /* of the latest question */
	int count;    /* of connections */
	struct {
		int fd;
		uint64_t asked;                    /* for a sandbox; 0: it has its answer */
		uint64_t leases[IPC_KEPT_MAX + 1]; /* 0: none */
	} all[WORKER_CONNECTIONS];
	struct buf scratch;
	int recalls;           /* RECALLs received */
	uint64_t recalled[16]; /* their leases */
};

/* Destructor for AUTO: AUTO(worker_close) struct worker w = worker_connect(); */
void worker_close(struct worker *w);
struct worker worker_connect(void);

/* Closes the connections a failed test left open. */
void worker_close_all(void);

/* Each question returns its seq. Deadlines are far away unless given. */
void worker_send(struct worker *w, struct ipc_msg *msg);
void worker_hello(struct worker *w, const char *held_sandbox);
uint64_t worker_lease(struct worker *w, const char *function, uint32_t version);
uint64_t worker_lease_until(struct worker *w, const char *function, uint32_t version, int64_t deadline_us);
uint64_t worker_check(struct worker *w, const json_t *spec, const struct buf *archive); /* steals spec */
uint64_t worker_check_stored(struct worker *w, const json_t *spec);                     /* the same */
uint64_t worker_check_fd(struct worker *w, const char *spec, int fd, int64_t deadline_us);
void worker_release(struct worker *w, uint64_t lease_id, bool destroy); /* after one quick invocation */
/* After the invocation with an id that begins with this byte; reason: why the sandbox is to end. */
void worker_release_last(struct worker *w, uint64_t lease_id, uint8_t last, enum counter reason);
void worker_release_after(struct worker *w, uint64_t lease_id, uint32_t runs, uint64_t busy_us);
uint64_t worker_invalidate(struct worker *w, const char *function_id, uint32_t version);
uint64_t worker_postmortem(struct worker *w, uint64_t lease_id);

void worker_withdraw(struct worker *w, uint64_t seq); /* takes back the question for a sandbox */

struct grant {
	uint64_t lease_id;
	char sandbox_id[SANDBOX_ID_SIZE];
	enum ipc_start_kind kind;
	uint32_t version, timeout_ms, init_timeout_ms, memory_limit_mb, response_bytes, log_bytes, usual_us, queued_us;
	char function_id[UUID_TEXT_SIZE];
	bool single_use;
	char runtime[16];
	char init[1024]; /* "" none */
	char start_cause[128], loaded_out[64];
	uint64_t loaded_lost;
	uint8_t last; /* the first byte of last_id */
	int control_fd, log_fd, error_log_fd, cpu_fd, memory_fd, oom_fd;
};

struct finding {
	bool known, out_of_memory;
	uint32_t exit_code;
};

struct denial {
	enum problem_code code;
	enum throttled reason;
	char detail[600];
	uint32_t retry_after_ms, version;
};

/* Wait for the answer, which must be the next message but for RECALLs, which are noted. */
struct grant worker_granted(struct worker *w, uint64_t seq);
void worker_close_fds(struct grant *g); /* destructor for AUTO: the descriptors of the grant */
struct denial worker_denied(struct worker *w, uint64_t seq);
void worker_withdrawn(struct worker *w, uint64_t seq);
void worker_done(struct worker *w, uint64_t seq);
struct finding worker_finding(struct worker *w, uint64_t seq);

/* A lease taken and its descriptors closed, for tests that do not talk to the agent. */
struct grant worker_take(struct worker *w, const char *function);

/* Asks for the statistics; nothing else may have come before them. The caller owns the JSON. */
json_t *worker_stats_new(struct worker *w);

/* Nothing has come but RECALLs, which are noted. */
void worker_assert_silent(struct worker *w);

/* Has a message come? A RECALL is one. */
bool worker_has_message(const struct worker *w);

/* Waits until poolmgr has closed the connection. */
void worker_wait_for_close(struct worker *w);

#endif
