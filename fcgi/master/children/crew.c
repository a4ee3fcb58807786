#include "master/children/crew.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/children/role.h"

#define LOOKS_LEAST 4

int crew_free_slot(struct crew *crew)
{
	for (int i = 0; i < CREW_SLOTS; i++) {
		if (crew->members[i].pid != 0)
			continue;
		scoreboard_retire(crew->board, i);
		atomic_store(&scoreboard_slot(crew->board, i)->state, SLOT_STARTING);
		return i;
	}
	return -1;
}

void crew_add(struct crew *crew, int slot, enum child_role role, unsigned generation, pid_t pid)
{
	crew->members[slot] = (struct crew_member){
		.pid = pid,
		.role = role,
		.generation = generation,
		.started_us = clock_mono_us(),
		.kill_at_us = INT64_MAX,
	};
	crew->used = MAX(crew->used, slot + 1);
	scoreboard_set_used(crew->board, crew->used);
	atomic_store(&scoreboard_slot(crew->board, slot)->role, role);
	atomic_store(&scoreboard_slot(crew->board, slot)->pid, pid);
}

static uint32_t state_of(struct crew *crew, int slot)
{
	return atomic_load(&scoreboard_slot(crew->board, slot)->state);
}

struct sizing_count crew_count(struct crew *crew, enum child_role role, unsigned generation)
{
	struct sizing_count count = {0};

	for (int i = 0; i < crew->used; i++) {
		const struct crew_member *m = &crew->members[i];
		if (m->pid == 0 || m->role != role || m->generation != generation || m->stopping)
			continue;
		uint32_t state = state_of(crew, i);
		if (state == SLOT_STARTING)
			count.starting++;
		else if (state == SLOT_IDLE)
			count.idle++;
		else
			count.busy++;
	}
	return count;
}

bool crew_has(const struct crew *crew, enum child_role role)
{
	for (int i = 0; i < crew->used; i++)
		if (crew->members[i].pid != 0 && crew->members[i].role == role)
			return true;
	return false;
}

void crew_stop(struct crew *crew, int slot, int64_t kill_at_us)
{
	struct crew_member *m = &crew->members[slot];

	m->kill_at_us = MIN(m->kill_at_us, kill_at_us);
	if (!m->stopping)
		kill(m->pid, SIGTERM);
	m->stopping = true;
}

void crew_stop_idle(struct crew *crew, enum child_role role)
{
	for (int i = crew->used - 1; i >= 0; i--) {
		const struct crew_member *m = &crew->members[i];
		if (m->pid != 0 && m->role == role && !m->stopping && state_of(crew, i) == SLOT_IDLE) {
			/* It may take a request at this moment, which gets all the time that its function may take. */
			crew_stop(crew, i, INT64_MAX);
			return;
		}
	}
}

void crew_stop_older(struct crew *crew, enum child_role role, unsigned generation, int64_t kill_at_us)
{
	for (int i = 0; i < crew->used; i++) {
		const struct crew_member *m = &crew->members[i];
		if (m->pid != 0 && m->role == role && m->generation < generation)
			crew_stop(crew, i, kill_at_us);
	}
}

void crew_signal(struct crew *crew, enum child_role role, int signal)
{
	for (int i = 0; i < crew->used; i++)
		if (crew->members[i].pid != 0 && crew->members[i].role == role)
			kill(crew->members[i].pid, signal);
}

void crew_hurry(struct crew *crew)
{
	for (int i = 0; i < crew->used; i++)
		if (crew->members[i].stopping)
			crew->members[i].kill_at_us = 0;
}

void crew_kill_late(struct crew *crew, int64_t now_us)
{
	for (int i = 0; i < crew->used; i++) {
		struct crew_member *m = &crew->members[i];
		if (m->pid == 0 || m->kill_at_us > now_us)
			continue;
		log_warn("%s/%d did not finish in time and is killed", child_role_name(m->role), i);
		kill(m->pid, SIGKILL);
		m->kill_at_us = INT64_MAX;
	}
}

/* Counts one look, and returns how long the process has not beaten. */
static int64_t look_at(struct crew_member *m, const struct slot *slot)
{
	int64_t beat_us = atomic_load(&slot->beat_us);

	m->missed = beat_us == m->beat_us ? m->missed + 1 : 0;
	m->beat_us = beat_us;
	return (int64_t)m->missed * CREW_LOOK_US;
}

void crew_kill_stuck(struct crew *crew, int64_t now_us, int64_t stuck_after_us)
{
	if (now_us < crew->look_us)
		return;
	crew->look_us = now_us + CREW_LOOK_US;
	for (int i = 0; i < crew->used; i++) {
		struct crew_member *m = &crew->members[i];
		if (m->pid == 0 || m->stopping || m->stuck_us != 0 || roles[m->role].heartbeat == 0)
			continue;
		int64_t still_us = look_at(m, scoreboard_slot(crew->board, i));
		if (stuck_after_us == 0 ||
		    still_us < roles[m->role].heartbeat * MAX(stuck_after_us, LOOKS_LEAST * CREW_LOOK_US))
			continue;
		m->stuck_us = still_us;
		log_error("%s/%d (pid %d) has not moved for %.1f s: it is killed and replaced", child_role_name(m->role), i,
			  (int)m->pid, (double)still_us / 1e6);
		kill(m->pid, SIGKILL);
	}
}

static int find_pid(const struct crew *crew, pid_t pid)
{
	for (int i = 0; i < crew->used; i++)
		if (crew->members[i].pid == pid)
			return i;
	return -1;
}

static void say_how(int status, int64_t stuck_us, char *how, size_t size)
{
	if (WIFSIGNALED(status) && stuck_us > 0)
		snprintf(how, size, "was killed, for it had not moved for %.1f s,", (double)stuck_us / 1e6);
	else if (WIFSIGNALED(status))
		snprintf(how, size, "was killed by SIG%s", sigabbrev_np(WTERMSIG(status)) ?: "?");
	else
		snprintf(how, size, "exited with status %d", WEXITSTATUS(status));
}

static void log_end(const struct crew_member *m, int slot, uint64_t requests, const struct crew_death *death)
{
	double seconds = (double)(clock_mono_us() - m->started_us) / 1e6;
	bool failed = !death->asked && !death->success;

	log_line(failed ? LOG_ERROR : LOG_INFO, "%s/%d (pid %d) %s after %.1f s and %" PRIu64 " requests",
		 child_role_name(m->role), slot, (int)m->pid, death->how, seconds, requests);
}

bool crew_reap(struct crew *crew, struct crew_death *death)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return false;
	*death = (struct crew_death){.pid = pid, .role = CHILD_ROLE_COUNT};
	int slot = find_pid(crew, pid);
	say_how(status, slot < 0 ? 0 : crew->members[slot].stuck_us, death->how, sizeof(death->how));
	if (slot < 0)
		return true;

	struct crew_member *m = &crew->members[slot];
	struct slot *shared = scoreboard_slot(crew->board, slot);
	death->role = m->role;
	death->started_us = m->started_us;
	death->asked = m->stopping;
	death->success = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	log_end(m, slot, atomic_load(&shared->requests), death);
	if (!death->asked && !death->success)
		scoreboard_count_failure(crew->board, m->role);
	scoreboard_retire(crew->board, slot);
	*m = (struct crew_member){0};
	return true;
}
