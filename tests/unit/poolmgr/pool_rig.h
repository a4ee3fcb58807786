/* The whole of poolmgr on top of rig.h, as poolmgr_main.c puts it together, without being a process of its own. */
#ifndef UNIT_POOLMGR_POOL_RIG_H
#define UNIT_POOLMGR_POOL_RIG_H

#include "tests/unit/poolmgr/fake_worker.h"
#include "tests/unit/poolmgr/rig.h"

#include "ipc/scoreboard.h"
#include "poolmgr/catalog/shape.h"
#include "tests/unit/poolmgr/archives.h"
#include "tests/unit/poolmgr/threads.h"

/* As the master has it. */
#define POOL_RIG_SLOTS 4
extern struct scoreboard *pool_rig_board;

/* After rig_start. conninfo NULL: PostgreSQL cannot be reached. */
void pool_rig_start(const char *conninfo);
void pool_rig_stop(void);

/* What scripts/egress has found: "ok\n", or why the network does not work; NULL: nothing, it is not there. */
void pool_rig_egress(const char *text);

/*
 * For cmocka, without PostgreSQL: set-up of a group of tests, of each test, and the end of each test, whose workers must have
 * closed. The end removes what is left and fails if something was leaked.
 */
int pool_rig_set_up(void **state);
int pool_rig_tear_down(void **state);
int pool_rig_each(void **state);
int pool_rig_nothing_leaks(void **state);
#define POOL_TEST(name) cmocka_unit_test_setup_teardown(name, pool_rig_each, pool_rig_nothing_leaks)

/* A function as tests deploy or check it. */
struct function {
	char id[UUID_TEXT_SIZE];
	char name[32];
	int version;           /* 1 */
	const char *language;  /* "alpha" */
	const char *runtime;   /* "docker" */
	const char *network;   /* "none" */
	const char *isolation; /* "per_function" */
	int memory_limit_mb;   /* 128: the default shape */
	int pids;              /* 64 */
	int max_concurrency;   /* 50 */
	int min_warm;          /* 0 */
	struct buf archive;    /* main.x with the text given */
	char sha256[SHA256_TEXT_SIZE];
};

struct function function_new(const char *code);
void function_set_code(struct function *f, const char *code);
void function_free(struct function *f);          /* destructor for AUTO */
json_t *function_spec(const struct function *f); /* a new reference */

/* CHECK and its GRANT; the descriptors are closed. */
struct grant check_function(struct worker *w, const struct function *f);

/* Asks for a check over the first connection, whatever waits there. */
void worker_check_at_once(const struct worker *worker, const struct function *function);

/* The shape of functions with the default limits. */
struct shape *default_shape(void);

#endif
