/* A process that looks like the shim of a container, and does nothing; and the files containerd keeps for it. */
#ifndef SUPPORT_FAKE_SHIM_H
#define SUPPORT_FAKE_SHIM_H

#include <stdbool.h>
#include <sys/types.h>

/* containerd's directory is dir/containerd, its socket there. Stopped: it waits for the test to end it, or ends with the
 * test's. */
pid_t fake_shim_start(const char *dir, const char *container);

/* The container's bundle, below containerd's directory of state, dir/containerd or dir/containerd/daemon: source is mounted at
 * that place. */
void fake_shim_make_bundle(const char *state, const char *container, const char *source, const char *at);

/* The first process of the container. */
void fake_shim_set_init(const char *state, const char *container, pid_t pid);

/* It has ended; kills it when wanted. */
bool fake_shim_is_alive(pid_t pid);
void fake_shim_end(pid_t pid);

#endif
