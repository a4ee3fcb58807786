/* The handlers of the control pool, with a real database, and with a poolmgr and agents that are played by the test. */
#ifndef UNIT_CONTROL_CONTROL_RIG_H
#define UNIT_CONTROL_CONTROL_RIG_H

#include "http/request.h"
#include "http/response.h"
#include "run/lease.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/support/pg_group.h"
#include "tests/unit/unit.h"
#include "worker/worker.h"

struct fixture {
	char *dir;
	struct conf *conf;
	struct worker worker;
	struct fake_poolmgr poolmgr;
	struct request request;
	struct response response;
	json_t *answer;
};

int control_rig_set_up(void **state);
int control_rig_tear_down(void **state);

#define SERVE(f, ...)                                                                                                          \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		fake_poolmgr_kill(&(f)->poolmgr);                                                                              \
		fake_poolmgr_start(&(f)->poolmgr, (f)->dir, scripts_, ARRAY_SIZE(scripts_), 0);                                \
	} while (0)

extern const char *if_match; /* a header of the next call; NULL: none */

/* Sends one request and returns the status of its answer. */
int call(struct fixture *f, const char *method, const char *uri, const char *body);

/* A member of the answer. */
const char *answer_text(const struct fixture *f, const char *name);
long answer_number(const struct fixture *f, const char *name);
void assert_status(const struct fixture *f, int actual, int wanted);
void assert_has(const struct fixture *f, const char *part);

/* Scripts of agents and poolmgrs. */
void load_well(int control, int log);
void check_as(int fd, enum ipc_type type, void (*agent)(int, int)); /* CHECK or CHECK_STORED */
void expect_invalidate(int fd, uint32_t version);
void expect_release(int fd, enum counter reason);
void deploy_one(int fd, uint32_t version);
void deploy_settings(int fd, uint32_t version); /* without code: the package is stored, so the message has no archive */
void deploy_the_first(int fd);

#define HELLO "{\"name\":\"hello\",\"language\":\"python\",\"code\":\"def handler(e, c): return 1\"}"

#endif
