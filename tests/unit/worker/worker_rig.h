/* One or two whole invoke workers, and a web server, a poolmgr and an agent that are played by the test. */
#ifndef UNIT_WORKER_WORKER_RIG_H
#define UNIT_WORKER_WORKER_RIG_H

#include "base/clock.h"
#include "conf/conf.h"
#include "ipc/inherited.h"
#include "ipc/record.h"
#include "ipc/scoreboard.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

#define WORKERS_MAX 5
#define LANES       2

/* A time limit that is never reached, however busy the machine is. */
#define WORKER_RIG_TIMEOUT_US INT64_C(20000000)

/* Memory that the test, its poolmgr and its agents share. */
extern struct shared {
	_Atomic bool go;   /* an agent may answer */
	_Atomic bool seen; /* the event that the test waits for has happened */
	_Atomic int leases;
} * shared;

/* Options of send_request. */
extern struct manner {
	int lane;
	int64_t queued_ago_us; /* 0: not sent */
} manner;

/* The role of the workers. */
extern enum child_role worker_role;

struct fixture {
	char *dir;
	struct conf *conf;
	struct scoreboard *board;
	struct fake_poolmgr poolmgr;
	int board_fd, turn_fd, gate_fd;
	int lanes[LANES];
	int life[2]; /* [1] is the master's end */
	pid_t worker, second;
	struct buf answer; /* the latest answer, as CGI text */
};

uint32_t slot_state(const struct fixture *f, int slot);
uint64_t requests_of(const struct fixture *f, int slot);

/* Starts a worker, and returns when it is ready. */
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

/* Waits until another process has made the condition true. */
#define AWAIT(condition)                                                                                                       \
	do {                                                                                                                   \
		int64_t deadline_ = clock_mono_us() + WORKER_RIG_TIMEOUT_US;                                                   \
		while (!(condition)) {                                                                                         \
			if (clock_mono_us() > deadline_)                                                                       \
				fail_msg("waited in vain for %s", #condition);                                                 \
			usleep(1000);                                                                                          \
		}                                                                                                              \
	} while (0)

/* Sends a request in FastCGI, as a web server does. Returns the descriptor for the answer. */
int send_request(struct fixture *f, const char *method, const char *uri, const char *body, size_t len);

/* Reads to the end of the connection and keeps what was written to stdout. */
void receive_answer(struct fixture *f, int fd);

/* Sends a request and receives its answer. */
void ask(struct fixture *f, const char *method, const char *uri, const char *body);
void assert_answer(const struct fixture *f, const char *part);

/* Reads the spool: gets the last record, and returns the number of records. */
int read_spool(const struct fixture *f, struct record *last, char **text);

/* Scripts of agents and poolmgrs. */
void echo(int control, int log);

/* A sandbox may be kept for the next request or be given back before it, depending on the speed of the machine. */
void serve_all(int fd, void (*agent)(int, int));
void serve_all_echo(int fd);
void lease_to(int fd, void (*agent)(int, int), int destroy);
void wait_for_go(int control, int log);         /* answers when go is set */
void say_and_wait_for_go(int control, int log); /* the same, and sets seen when it has its request */
void one_long_lease(int fd);                    /* a lease to such an agent */

#endif
