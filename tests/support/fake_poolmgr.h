/*
 * A poolmgr that does what a test says, in a child process: one script per connection, one connection after the other. A script
 * that meets what it does not expect exits with 1 and says why on stderr. Between two scripts the socket is gone for a moment
 * when restart is set, as it is when poolmgr restarts.
 */
#ifndef SUPPORT_FAKE_POOLMGR_H
#define SUPPORT_FAKE_POOLMGR_H

#include <sys/types.h>

#include "base/buf.h"
#include "ipc/ipc.h"

struct fake_poolmgr {
	pid_t pid;
};

/* Serves count connections on <run_dir>/poolmgr.sock, which is there on return, and then exits with 0. */
void fake_poolmgr_start(struct fake_poolmgr *poolmgr, const char *run_dir, void (*const *scripts)(int fd), int count,
			int restart);

/* Waits for its end; its exit status, or 128 + the signal that ended it. */
int fake_poolmgr_wait(struct fake_poolmgr *poolmgr);

/* Ends it if need be. */
void fake_poolmgr_kill(struct fake_poolmgr *poolmgr);

/* For scripts. A message received lasts until the next one. held: what this connection's HELLO named. */
extern char fake_poolmgr_held[64];
int fake_poolmgr_receive(int fd, struct ipc_msg *msg); /* 1, or 0 at the end of the connection */
void fake_poolmgr_expect(int fd, enum ipc_type type, struct ipc_msg *msg);
void fake_poolmgr_expect_close(int fd);
void fake_poolmgr_check(int condition, const char *what);
void fake_poolmgr_send(int fd, const struct ipc_msg *msg);
void fake_poolmgr_recall(int fd, uint64_t lease_id);

/* Answers a LEASE, CHECK or CHECK_STORED with the sandbox of an agent script; init as in GRANT. */
void fake_poolmgr_grant(int fd, const struct ipc_msg *question, const char *init, void (*agent)(int control, int log));
void fake_poolmgr_deny(int fd, const struct ipc_msg *question, enum problem_code code, enum throttled reason,
		       uint32_t retry_after_ms);

/* Answers a POSTMORTEM. */
void fake_poolmgr_find(int fd, const struct ipc_msg *question, int known, int out_of_memory, uint32_t exit_code);

/* What the next grant says; a script may change it. */
extern uint64_t fake_poolmgr_lease_id;  /* FAKE_LEASE_ID */
extern uint32_t fake_poolmgr_usual_us;  /* 0 */
extern uint8_t fake_poolmgr_single_use; /* 0 */
extern int fake_poolmgr_meter_fds[3];   /* for CGROUP_CPU, CGROUP_MEMORY, CGROUP_OOM; -1: /dev/null. Stay the script's */

/* What every grant says. */
#define FAKE_LEASE_ID   77
#define FAKE_TIMEOUT_MS 20000 /* never reached, however busy the machine is */
#define FAKE_SANDBOX    "0198c0de-0000-7000-8000-00000000beef"
#define FAKE_FUNCTION   "0198c0de-0000-7000-8000-000000000001"

#endif
