/*
 * What tests of the engine, and of poolmgr, stand on: a loop that is turned until something holds, a scratch directory laid out
 * like state_dir, a configuration, two languages and a fake Docker Engine with the driver connected to it. One per test
 * program.
 */
#ifndef UNIT_RUNTIMES_ENGINE_RIG_H
#define UNIT_RUNTIMES_ENGINE_RIG_H

#include "tests/unit/unit.h"

#include <uv.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "conf/language.h"
#include "engine/docker.h"
#include "tests/support/fake_docker.h"

struct rig {
	uv_loop_t *loop;
	char *dir; /* holds sandboxes/, cache/ and docker.sock; is conf->master_state_dir */
	struct conf *conf;
	struct language *languages; /* "alpha" and "beta", with a version "1" (images alpha-image, beta-image), and beta with a
				       "2" that is not its default */
	struct fake_docker *engine;
	struct docker *docker; /* its events are counted below and passed on */
	struct docker_events pass_on;
	void (*tick)(int64_t now_us); /* called every few milliseconds while the loop turns; NULL: nothing is */

	int ups, downs;
	char died[64]; /* the last sandbox id the driver reported, "" none */
	int died_code;
	int deaths, signals;
};

extern struct rig rig;

void rig_start(void);
void rig_stop(void);

/* Engine and configuration as they were at the start. Waits until the driver finds the engine up. */
void rig_reset(void);

/* The same for cmocka: set-up of a group of tests, and of each test. */
int engine_rig_set_up(void **state);
int engine_rig_tear_down(void **state);
int engine_rig_each(void **state);

/* One turn of the loop, which takes a few milliseconds at most. */
void rig_turn(void);

/* A bound for what never takes that long, not even under valgrind on a busy machine. */
#define RIG_TIMEOUT_US INT64_C(20000000)

#define WAIT_FOR(condition)                                                                                                    \
	do {                                                                                                                   \
		int64_t deadline_ = clock_mono_us() + RIG_TIMEOUT_US;                                                          \
		while (!(condition)) {                                                                                         \
			if (clock_mono_us() > deadline_)                                                                       \
				fail_msg("waited in vain for %s", #condition);                                                 \
			rig_turn();                                                                                            \
		}                                                                                                              \
	} while (0)

/* Sends the engine a request of its own and waits for the answer: what was sent before has come to its end by then. */
void rig_barrier(void);

/*
 * The number of open descriptors without those of the driver and of the fake engine, which vary: the driver keeps connections
 * for their next use, and notices connections that the engine has closed when it needs one, or a second later.
 */
int rig_open_fds(void);

/* Is there such a thing below rig.dir? */
bool rig_exists(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* How many names are in a directory below rig.dir. */
int rig_count_names(const char *name);

#endif
