/*
 * The cgroup of one sandbox: frozen while nothing runs in it, so that it uses no processor time; measured by the workers; ended
 * at once when need be. The warden opens the files (warden/warden_main.c). Where there is no warden, or the kernel lacks
 * something, sandboxes work all the same, without this.
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
	uint8_t version;          /* of cgroups: 1 or 2 */
	bool frozen;
};
#define CGROUP_NONE ((struct cgroup){.fds = {-1, -1, -1, -1, -1}})

/* err NULL: *cgroup is the receiver's. Called exactly once, perhaps from within the call that got it. */
typedef void (*cgroup_open_fn)(const struct err *err, struct cgroup *cgroup, void *arg);

/* Takes the answers of the warden from fd, which stays the caller's. Before, and with -1, there is no warden. */
void cgroup_init(uv_loop_t *loop, int warden_fd);
void cgroup_deinit(void); /* nobody waits for an answer any more */

/* Of the container (its full id) that process pid is in. */
void cgroup_open(const char *container, pid_t pid, cgroup_open_fn done, void *arg);

/* Gives up on requests the warden has not answered in time; called every tick. */
void cgroup_tick(int64_t now_us);

bool cgroup_is_open(const struct cgroup *cgroup);
void cgroup_close(struct cgroup *cgroup); /* destructor for AUTO. What is frozen stays so: thaw it before */

/* Take a fraction of a millisecond. Nothing happens when it is not open, or is in that state. */
void cgroup_freeze(struct cgroup *cgroup);
void cgroup_thaw(struct cgroup *cgroup);

/* Has the warden end a container's shim (SHIM_END in ipc/ipc_msg.def). ended: whichever it has ended, of all that were asked
 * for. */
void cgroup_end_shim(const char *container, pid_t pid, const char *directory, void (*ended)(const char *container));

/* Nothing in it runs any more on return; all of it is dead soon after, whatever Docker does. */
void cgroup_kill(struct cgroup *cgroup);

#endif
