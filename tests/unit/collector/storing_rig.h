/*
 * For tests of what the collector does with PostgreSQL: a database, a spool with one writer, and the steps of a round.
 * Whatever fails ends the test.
 */
#ifndef TESTS_COLLECTOR_STORING_RIG_H
#define TESTS_COLLECTOR_STORING_RIG_H

#include <sys/types.h>

#include "collector/spool_dir.h"
#include "collector/spool_reader.h"
#include "conf/conf.h"
#include "db/db.h"
#include "tests/support/pg_group.h"
#include "tests/unit/collector/spool_fixture.h"
#include "tests/unit/unit.h"

struct storing_rig {
	struct conf *conf;
	struct db *db;
	struct spool_fixture dir;
	struct spool *spool;
	struct writer writer;
	struct spool_batch batch;
	struct err err;
};

#define STORING_TEST(f) cmocka_unit_test_setup_teardown(f, storing_set_up, storing_tear_down)

int storing_set_up(void **state); /* *state is a struct storing_rig */
int storing_tear_down(void **state);

void storing_append(struct storing_rig *r, const struct record *record);

/* What a collector that has just started does: nothing is remembered from before. */
void storing_load(struct storing_rig *r);
void storing_read_all(struct storing_rig *r);
int storing_load_and_store(struct storing_rig *r);

/* How many invocations are stored. */
long storing_count(void);

/* A process with a connection of its own, called "client", does its work and exits with 0 if that succeeds. */
pid_t storing_start_client(struct storing_rig *r, int (*work)(struct storing_rig *r));

#endif
