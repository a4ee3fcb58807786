/*
 * An invocation for tests: its sandbox is a process that follows a script, and so is poolmgr in tests that have one.
 */
#ifndef UNIT_RUN_INVOCATION_RIG_H
#define UNIT_RUN_INVOCATION_RIG_H

#include "run/invocation.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

#define ID         "inv-1"
#define REQUEST_ID "req-1"
#define INIT       "{\"handler\":\"main.handler\"}"

struct fixture {
	struct conf *conf;
	struct invocation *invocation;
	struct fake_agent agent;
	struct lease lease;
	struct outcome outcome;
	struct slow_timer slow_timer;
	int over; /* how many times it has ended */

	/* For tests in which the sandbox comes from a poolmgr. */
	char *dir; /* or the directory with the files of its cgroup */
	struct fake_poolmgr poolmgr;
	struct lease_client *client;
	struct denial denial;
};

int invocation_set_up(void **state);
int invocation_tear_down(void **state);
/* Starts an agent that follows the script. */
void start_agent(struct fixture *f, void (*script)(int control, int log));

/* Run an invocation in that agent. */
void invoke_with(struct fixture *f, const char *body, size_t len);
void invoke(struct fixture *f);

/* Starts an agent that follows the script, and runs an invocation in it. */
void run_script(struct fixture *f, void (*script)(int control, int log));

/* Waits until the descriptor is readable. */
void await_readable(int fd);

/* The results of the invocation. */
void assert_script_ended_well(struct fixture *f);
void assert_failed(const struct fixture *f, enum problem_code code, enum counter destroy_reason);
void assert_log(const struct fixture *f, const char *text);
void assert_output(const struct fixture *f, const char *output);

/* Parts of scripts, and whole scripts. */
void expect_invoke(int control, struct buf *payload);
void print_and_answer(int control, int log);
void print_and_exit(int control, int log);
void print_and_be_killed_for_memory(int control, int log);

/* The files of the sandbox's cgroup, below f->dir: makes them, and sets their content. */
void cgroup_says(const char *cpu, const char *memory, const char *oom);
void make_cgroup(struct fixture *f, int fds[3]);

/* A member of the resulting problem; -1 or "": there is none. */
int64_t problem_member(const struct fixture *f, const char *name);
const char *problem_text(const struct fixture *f, const char *name);

#define LOG_ROUNDS 3000

/* Prints a text of a different length each time, sometimes longer than what is kept. */
size_t line_length(int round);
void print_and_answer_many(int control, int log);

#endif
