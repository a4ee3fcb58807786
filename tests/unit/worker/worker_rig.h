/* A whole invoke worker, or two, between a web server, a poolmgr and an agent that are the test's. */
#ifndef UNIT_WORKER_WORKER_RIG_H
#define UNIT_WORKER_WORKER_RIG_H

#include "base/clock.h"
#include "conf/conf.h"
#include "ipc/heritage.h"
#include "ipc/record.h"
#include "ipc/scoreboard.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

#define WORKERS_MAX 5
#define LANES       2

/* A bound for what never takes that long, however busy the machine is. */
#define WORKER_RIG_PATIENCE_US INT64_C(20000000)

/* What the test, its poolmgr and its agents share. */
extern struct shared {
	_Atomic bool go;   /* an agent may answer */
	_Atomic bool seen; /* what the test is about has happened */
	_Atomic int leases;
} * shared;

/* What send_request does beyond the ordinary. */
extern struct manner {
	int lane;
	int64_t queued_ago_us; /* 0: not said */
} manner;

/* Of the workers. */
extern enum child_role worker_role;

struct fixture {
	char *dir;
	struct conf *conf;
	struct scoreboard *board;
	struct fake_poolmgr poolmgr;
	int board_fd, turn_fd, gate_fd;
	int lanes[LANES];
	int life[2]; /* [1]: the master's end */
	pid_t worker, second;
	struct buf answer; /* the last one, as CGI text */
};

uint32_t slot_state(const struct fixture *f, int slot);
uint64_t requests_of(const struct fixture *f, int slot);

/* Returns when it is ready. */
pid_t start_worker(struct fixture *f, int slot);
int wait_for_end(pid_t *pid); /* returns its exit status, or 128 and the signal that ended it */
int wait_for_worker(struct fixture *f);

/* For cmocka. */
int worker_rig_set_up_with(void **state, int turns, int max_workers, bool gate_is_open);
int worker_rig_set_up(void **state);
int worker_rig_tear_down(void **state);

#define SERVE(f, restart, ...)                                                                                                 \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		fake_poolmgr_start(&(f)->poolmgr, (f)->dir, scripts_, ARRAY_SIZE(scripts_), restart);                          \
	} while (0)

/* Waits for what another process does. */
#define AWAIT(condition)                                                                                                       \
	do {                                                                                                                   \
		int64_t deadline_ = clock_mono_us() + WORKER_RIG_PATIENCE_US;                                                  \
		while (!(condition)) {                                                                                         \
			if (clock_mono_us() > deadline_)                                                                       \
				fail_msg("waited in vain for %s", #condition);                                                 \
			usleep(1000);                                                                                          \
		}                                                                                                              \
	} while (0)

/* FastCGI, as a web server speaks it: sends one, which is answered over what is returned. */
int send_request(struct fixture *f, const char *method, const char *uri, const char *body, size_t len);

/* Reads to the end of the connection and keeps what was written to stdout. */
void receive_answer(struct fixture *f, int fd);

/* Both at once. */
void ask(struct fixture *f, const char *method, const char *uri, const char *body);
void assert_answer(const struct fixture *f, const char *part);

/* What is in the spool: the last record, and how many there are. */
int read_spool(const struct fixture *f, struct record *last, char **text);

/* Scripts of agents and poolmgrs. */
void echo(int control, int log);

/* A sandbox may be kept for the next request, or come back before it: that depends on how fast the machine is. */
void serve_all(int fd, void (*agent)(int, int));
void serve_all_echo(int fd);
void lease_to(int fd, void (*agent)(int, int), int destroy);
void wait_for_go(int control, int log);         /* answers when it may */
void say_and_wait_for_go(int control, int log); /* likewise, and says that it has its request: it is seen */
void one_long_lease(int fd);                    /* to such an agent */

#endif
