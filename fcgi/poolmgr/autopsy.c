#include "poolmgr/autopsy.h"

#include <utlist.h>

#include "base/clock.h"
#include "ipc/ipc.h"
#include "poolmgr/client.h"

/* Docker says that a container has ended some ten milliseconds after it did, or some hundred when it was gVisor's. */
#define WAIT_US 900000

static struct docker *docker;

static void answer(struct client *client, uint64_t seq, const struct docker_state *state)
{
	struct ipc_msg m = {.type = IPC_FINDING, .finding.seq = seq};

	if (state != NULL && !state->running) {
		m.finding.known = 1;
		m.finding.out_of_memory = state->oom_killed;
		m.finding.exit_code = (uint32_t)state->exit_code;
	}
	client_send(client, &m);
}

static void on_inspected(const struct err *err, const struct docker_state *state, void *arg)
{
	struct sandbox *s = arg;

	if (s->autopsy_seq != 0 && s->state == SANDBOX_LEASED) /* else its worker is gone */
		answer(s->holder, s->autopsy_seq, err == NULL ? state : NULL);
	s->autopsy_seq = 0;
	sandbox_release_hold(s);
}

static void look(struct sandbox *s)
{
	s->autopsy_us = 0;
	sandbox_hold(s);
	docker_inspect(docker, s->id, on_inspected, s);
}

void autopsy_ask(struct client *client, struct sandbox *s, uint64_t seq)
{
	if (s == NULL) {
		answer(client, seq, NULL);
		return;
	}
	s->autopsy_seq = seq;
	s->autopsy_us = clock_mono_us() + WAIT_US;
	if (s->exit_code >= 0)
		look(s);
}

void autopsy_on_dead(struct sandbox *s)
{
	if (s->autopsy_us != 0 && s->exit_code >= 0)
		look(s);
}

void autopsy_tick(int64_t now_us)
{
	struct sandbox *s, *next;

	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_LEASED], s, next)
		if (s->autopsy_us != 0 && now_us >= s->autopsy_us)
			look(s);
}

void autopsy_init(struct docker *d)
{
	docker = d;
}
