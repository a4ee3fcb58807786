#include "poolmgr/sandbox/postmortem.h"

#include <signal.h>
#include <utlist.h>

#include "base/clock.h"
#include "ipc/ipc.h"
#include "poolmgr/node/client.h"

/*
 * When the worker asks, an agent that ended has done so already. One that closed its connection but continues to run has no
 * exit code.
 */
#define ALIVE_US 2000000
/*
 * If everything in the sandbox has ended, killed by the kernel for instance, only Docker knows how: soon, or later on a busy
 * machine.
 */
#define GONE_US  5000000
#define AGAIN_US 300000
/* How long to wait for Docker's word about memory when everything else is known. */
#define MEMORY_US 500000

#define KILLED (128 + SIGKILL)

static struct docker *docker;

static void send_finding(struct client *client, uint64_t seq, int exit_code, bool out_of_memory)
{
	struct ipc_msg m = {.type = IPC_FINDING, .finding.seq = seq};

	if (exit_code >= 0) {
		m.finding.known = 1;
		m.finding.out_of_memory = out_of_memory;
		m.finding.exit_code = (uint32_t)exit_code;
	}
	client_send(client, &m);
}

static void answer(struct sandbox *s, int exit_code, bool out_of_memory)
{
	uint64_t seq = s->postmortem_seq;

	s->postmortem_seq = 0;
	send_finding(s->holder, seq, exit_code, out_of_memory);
}

static void on_inspected(const struct err *err, const struct docker_state *state, void *arg)
{
	struct sandbox *s = arg;
	bool has_ended = err == NULL && !state->running;

	if (s->postmortem_seq != 0 && s->state == SANDBOX_LEASED) { /* otherwise its worker is gone or was answered */
		if (has_ended)
			answer(s, s->exit_code >= 0 ? s->exit_code : state->exit_code, state->oom_killed);
		else if (s->exit_code >= 0 || !s->launcher_gone)
			answer(s, s->exit_code, false);
		else
			s->postmortem_us = clock_mono_us() + AGAIN_US;
	}
	sandbox_release_hold(s);
}

static void look(struct sandbox *s)
{
	s->postmortem_us = 0;
	sandbox_hold(s);
	docker_inspect(docker, s->id, on_inspected, s);
}

/*
 * The launcher's report is sufficient, unless the agent was killed: then Docker is asked whether that was for lack of memory.
 */
static void conclude(struct sandbox *s)
{
	if (s->exit_code != KILLED) {
		answer(s, s->exit_code, false);
		return;
	}
	s->postmortem_end_us = clock_mono_us() + MEMORY_US;
	if (s->postmortem_us != 0)
		look(s);
}

void postmortem_ask(struct client *client, struct sandbox *s, uint64_t seq)
{
	int64_t now_us = clock_mono_us();

	if (s == NULL) {
		send_finding(client, seq, -1, false);
		return;
	}
	s->postmortem_seq = seq;
	s->postmortem_us = now_us + ALIVE_US;
	s->postmortem_end_us = now_us + GONE_US;
	if (s->exit_code >= 0)
		conclude(s);
}

void postmortem_on_dead(struct sandbox *s)
{
	if (s->state == SANDBOX_LEASED && s->postmortem_seq != 0 && s->exit_code >= 0)
		conclude(s);
}

void postmortem_tick(int64_t now_us)
{
	struct sandbox *s, *next;

	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_LEASED], s, next) {
		if (s->postmortem_seq == 0)
			continue;
		if (now_us >= s->postmortem_end_us)
			answer(s, s->exit_code, false);
		else if (s->postmortem_us != 0 && now_us >= s->postmortem_us)
			look(s);
	}
}

void postmortem_init(struct docker *d)
{
	docker = d;
}
