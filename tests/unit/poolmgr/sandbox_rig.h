/*
 * Sandboxes without a pool: of one shape, for one version, with hooks that count, and a warden that is the test's. After each
 * test nothing of them may be left.
 */
#ifndef UNIT_POOLMGR_SANDBOX_RIG_H
#define UNIT_POOLMGR_SANDBOX_RIG_H

#include "poolmgr/sandbox/sandbox.h"
#include "tests/unit/poolmgr/fake_warden.h"
#include "tests/unit/poolmgr/rig.h"

#define SANDBOX_RIG_UIDS 4 /* few, so that one that is not given back is missed soon */

extern struct shape shape;
extern struct version version;

/* What the hooks were told. */
extern struct seen {
	int spares, failures, gone, dead;
	char why[512];
} seen;

/* For cmocka: set-up of a group of tests (whose end is engine_rig_tear_down), of each test, and the end of each test. */
int sandbox_rig_set_up(void **state);
int sandbox_rig_each(void **state);
int sandbox_rig_nothing_leaks(void **state);

/* One more descriptor stays open after this test, and is no leak. */
void sandbox_rig_keep_fd(void);

#define SANDBOX_TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_rig_each, sandbox_rig_nothing_leaks)

/* A new one, whose agent behaves like that. */
struct sandbox *create(enum fake_boot boot);

/* A new one, driven to that state without a pool. */
struct sandbox *create_in(enum sandbox_state state);

/* A new one, BOOTING: the warden is asked for its cgroup. Or SPARE, with that cgroup of version v. */
struct sandbox *create_up_to_its_cgroup(struct opening *q);
struct sandbox *create_with(uint8_t v, const struct fake_cgroup *c);

void assert_failed_because(const char *words);

void tick(int64_t now_us);

#endif
