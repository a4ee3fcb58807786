/* A client of a poolmgr that follows a script. */
#ifndef UNIT_RUN_LEASE_RIG_H
#define UNIT_RUN_LEASE_RIG_H

#include "run/lease.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

#define SECOND 1000000

#define FDS_OF_A_LEASE 6

struct fixture {
	char *dir;
	struct lease_client *client;
	struct fake_poolmgr poolmgr;
	struct lease lease;
	struct denial denial;
};

extern int go_fd; /* the descriptor that a script waits for */

int lease_rig_set_up(void **state);
int lease_rig_tear_down(void **state);

void lease_rig_serve(struct fixture *f, void (*const *scripts)(int fd), int count, int restart);

#define SERVE(f, restart, ...)                                                                                                 \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		lease_rig_serve(f, scripts_, ARRAY_SIZE(scripts_), restart);                                                   \
	} while (0)

int acquire(struct fixture *f, int64_t slow_timer_us);

/* Gets a sandbox and gives it back at once, so that it is kept. */
void use_one(struct fixture *f, const char *function, uint32_t version, enum ipc_start_kind expected);
void await_word(const struct fixture *f);

/* Waits until poolmgr has closed and all its earlier messages have arrived. */
void await_hangup(const struct fixture *f);

/* Scripts of agents and poolmgrs. */
void idle_agent(int control, int log);
void grant_one(int fd);

/* Grants any request, with lease_id. */
void grant_as(int fd, uint64_t lease_id);
void expect_back_of(int fd, uint64_t lease_id, uint32_t runs);
void expect_back(int fd, enum counter reason);
void grant_and_take_back(int fd);

#endif
