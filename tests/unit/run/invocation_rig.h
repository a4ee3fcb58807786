/*
 * An invocation in the hands of a test: its sandbox is a process that follows a script, and so is poolmgr where a test has one.
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
	struct patience patience;
	int over; /* times it ended */

	/* Where the sandbox comes from a poolmgr. */
	char *dir; /* or where its cgroup's files are */
	struct fake_poolmgr poolmgr;
	struct lease_client *client;
	struct denial denial;
};

int invocation_set_up(void **state);
int invocation_tear_down(void **state);
/* An agent that follows the script; an invocation in it; both. */
void start_agent(struct fixture *f, void (*script)(int control, int log));
void invoke_with(struct fixture *f, const char *body, size_t len);
void invoke(struct fixture *f);

/* Until the agent has got that far. */
void await_readable(int fd);
void run_script(struct fixture *f, void (*script)(int control, int log));

/* What came of it. */
void assert_script_ended_well(struct fixture *f);
void assert_failed(const struct fixture *f, enum problem_code code, enum counter destroy_reason);
void assert_log(const struct fixture *f, const char *text);
void assert_output(const struct fixture *f, const char *output);

/* Of scripts, and whole ones. */
void expect_invoke(int control, struct buf *payload);
void print_and_answer(int control, int log);
void print_and_exit(int control, int log);
void print_and_be_killed_for_memory(int control, int log);

/* The files of the sandbox's cgroup, below f->dir: made, and what they say from now on. */
void cgroup_says(const char *cpu, const char *memory, const char *oom);
void make_cgroup(struct fixture *f, int fds[3]);

/* A member of the problem it came to; -1 or "": there is none. */
int64_t problem_member(const struct fixture *f, const char *name);
const char *problem_text(const struct fixture *f, const char *name);

#define LOG_ROUNDS 3000

/* Of another length each time, and now and then more than is kept. */
size_t line_length(int round);
void print_and_answer_many(int control, int log);

#endif
