/*
 * A master that has everything but its start behind it: directories below a temporary one, open sockets, an empty crew. Its
 * children are what the test makes them. Whatever fails ends the test.
 */
#ifndef TESTS_MASTER_MASTER_RIG_H
#define TESTS_MASTER_MASTER_RIG_H

#include "master/master.h"
#include "tests/unit/unit.h"

struct master_rig {
	char *dir, *run_dir, *conf_path;
	struct settings settings;
	struct master_start start;
	struct master m;
};

#define MASTER_TEST(f) cmocka_unit_test_setup_teardown(f, master_rig_set_up, master_rig_tear_down)

int master_rig_set_up(void **state); /* *state is a struct master_rig; in charge, with all sockets */
int master_rig_tear_down(void **state);

/* Makes it one that is about to take over; returns the other end of its link to the berthd before. */
int master_rig_become_successor(struct master_rig *r);

/* Writes the configuration: the directories, and this text. */
void master_rig_configure(struct master_rig *r, const char *text);

/* A child that waits for a signal, started at once; returns its slot. */
int master_rig_add_child(struct master_rig *r, enum child_role role, enum slot_state state);

/* Waits until one of the crew has died. */
void master_rig_bury(struct master_rig *r);

bool master_rig_has_file(const struct master_rig *r, const char *name); /* in the run directory */

#endif
