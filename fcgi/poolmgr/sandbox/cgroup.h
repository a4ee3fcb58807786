/*
 * The cgroup of one sandbox: it is frozen while no invocation runs, so that it uses no processor time; workers read its usage;
 * and it can be killed at once. The warden opens the files (warden/warden_main.c). Without a warden, or on a kernel that lacks
 * something, sandboxes work without these features.
 */
#ifndef POOLMGR_SANDBOX_CGROUP_H
#define POOLMGR_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "ipc/cgroup_fds.h"

struct cgroup {
	int fds[CGROUP_FD_COUNT]; /* -1: not opened */
	uint8_t version;          /* cgroup version: 1 or 2 */
	bool frozen;
};
#define CGROUP_NONE ((struct cgroup){.fds = {-1, -1, -1, -1, -1}})

/* err NULL: *cgroup belongs to the receiver. Called exactly once, perhaps from within the call it was passed to. */
typedef void (*cgroup_open_fn)(const struct err *err, struct cgroup *cgroup, void *arg);

/* Receives the warden's answers from fd, which stays the caller's. Before this call, and with -1, there is no warden. */
void cgroup_init(uv_loop_t *loop, int warden_fd);
void cgroup_deinit(void); /* drops the callbacks of all requests */

/* Opens the cgroup of the container (its full id) that process pid is in. */
void cgroup_open(const char *container, pid_t pid, cgroup_open_fn done, void *arg);

/* Gives up on requests the warden has not answered in time; called every tick. */
void cgroup_tick(int64_t now_us);

bool cgroup_is_open(const struct cgroup *cgroup);
void cgroup_close(struct cgroup *cgroup); /* destructor for AUTO. A frozen cgroup stays frozen: thaw it before */

/* Each takes a fraction of a millisecond, and does nothing when the cgroup is not open or is in that state already. */
void cgroup_freeze(struct cgroup *cgroup);
void cgroup_thaw(struct cgroup *cgroup);

/* Has the warden end a container's shim (SHIM_END in ipc/ipc_msg.def). ended is called for each shim that it has ended. */
void cgroup_end_shim(const char *container, pid_t pid, const char *directory, void (*ended)(const char *container));

/* On return none of its processes runs any more; all are dead soon after, whatever Docker does. */
void cgroup_kill(struct cgroup *cgroup);

#endif
