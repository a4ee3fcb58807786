/* The pool in pool_rig.h over a scratch PostgreSQL, in which tests store functions; and looking at what became of sandboxes. */
#ifndef UNIT_POOLMGR_STORED_H
#define UNIT_POOLMGR_STORED_H

#include "tests/support/pg_group.h"
#include "tests/unit/poolmgr/pool_rig.h"

/* Group and test fixtures. */
int stored_set_up(void **state);
int stored_tear_down(void **state);
int stored_each(void **state);
int stored_nothing_leaks(void **state);
#define STORED_TEST(name) cmocka_unit_test_setup_teardown(name, stored_each, stored_nothing_leaks)

/* Stores the version of f, which becomes the current one. Whoever listens hears of it. */
void deploy(const struct function *f);
void deploy_code(struct function *f, const char *code); /* the next version */
void drop(const struct function *f);
struct function deployed(const char *code);

void assert_code_is(const struct grant *g, const char *code);
bool is_gone(const struct grant *g);
enum sandbox_state state_of(const struct grant *g);

/* The worker was asked to give back this lease, and only this one, since it was last looked at; or none. */
void assert_recalled(struct worker *w, const struct grant *g);
void assert_not_recalled(struct worker *w);

const struct shape *shape_of(int64_t memory_mb); /* NULL: there is none */

/* Of the default shape. */
void wait_for_spares(int count);

/* A lease that is given back at once: one idle sandbox. */
struct grant warm_up(struct worker *w, const char *function);

#endif
