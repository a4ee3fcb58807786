/* The other end of poolmgr's socket to the warden, for tests on the loop in rig.h. One per test program. */
#ifndef UNIT_POOLMGR_FAKE_WARDEN_H
#define UNIT_POOLMGR_FAKE_WARDEN_H

#include "tests/unit/poolmgr/rig.h"

#include "ipc/ipc.h"
#include "poolmgr/sandbox/cgroup.h"

/* From here on there is a warden; and from here on there is none. Stopping twice does nothing. */
void fake_warden_start(void);
void fake_warden_stop(void);

/* It is there, and nobody listens: the socket's other end is closed. */
void fake_warden_hang_up(void);

bool fake_warden_is_asked(void);

/* Waits for the message of that type, which must be the next one. Its descriptors are the caller's: ipc_close_fds. */
struct ipc_msg fake_warden_next(enum ipc_type type);

struct opening {
	uint64_t seq;
	char container[80];
	uint32_t pid;
};
struct opening fake_warden_next_open(void);

/* What poolmgr takes for the files of a cgroup: they remember what was last written to each. */
struct fake_cgroup {
	int fds[CGROUP_FD_COUNT];
};
struct fake_cgroup fake_cgroup_new(void);
void fake_cgroup_free(struct fake_cgroup *c); /* destructor for AUTO */

/* What was written to a file since the last look; "" nothing. Good until the next call. */
const char *fake_cgroup_written(const struct fake_cgroup *c, enum cgroup_fd file);

/* What poolmgr finds in a file from now on. */
void fake_cgroup_say(const struct fake_cgroup *c, enum cgroup_fd file, const char *text);

/* Are both the same file? */
bool fake_cgroup_is_same(int fd, int other);

/* Answers. */
void fake_warden_give(uint64_t seq, uint8_t version, const struct fake_cgroup *c);
void fake_warden_refuse(uint64_t seq, const char *why);

void fake_warden_say_ended(const char *container); /* its shim */

/* Waits for a question, and answers it with that. */
void fake_warden_serve(uint8_t version, const struct fake_cgroup *c);

#endif
