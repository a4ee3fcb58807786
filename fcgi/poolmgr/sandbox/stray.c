#include "poolmgr/sandbox/stray.h"

#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/sandbox/cgroup.h"
#include "poolmgr/sandbox/sandbox.h"

static struct docker *docker;

/* Container and directory that are being removed. */
struct stray {
	char id[SANDBOX_ID_SIZE];
	enum counter what; /* the counter to increase */
	bool found;        /* its container or its directory exists */
	UT_hash_handle hh;
};

static struct stray *strays;

/* Called at the end of the attempt to remove it. */
static void end(struct stray *stray, bool removed)
{
	if (removed && stray->found)
		counters[stray->what]++;
	HASH_DEL(strays, stray);
	mem_free(&stray);
}

static void on_directory_removed(bool removed, void *arg)
{
	end(arg, removed);
}

static void on_removed(const struct err *err, void *arg)
{
	struct stray *stray = arg;

	if (err == NULL) {
		directory_remove(stray->id, on_directory_removed, stray);
		return;
	}
	log_sandbox(LOG_WARN, stray->id, "left over from before, will be removed later: %s", err->msg);
	end(stray, false);
}

/* Killed through its cgroup, because it may be frozen and Docker cannot kill a frozen container. */
static void on_cgroup(const struct err *err, struct cgroup *cgroup, void *arg)
{
	struct stray *stray = arg;

	if (err == NULL)
		cgroup_kill(cgroup);
	cgroup_close(cgroup);
	docker_remove(docker, stray->id, on_removed, stray);
}

static void on_inspected(const struct err *err, const struct docker_state *state, void *arg)
{
	struct stray *stray = arg;

	stray->found = stray->found || err == NULL;
	if (err == NULL && state->pid > 0)
		cgroup_open(state->container_id, state->pid, on_cgroup, stray);
	else
		docker_remove(docker, stray->id, on_removed, stray);
}

void stray_remove(const char *id, enum counter what)
{
	struct stray *stray;

	if (strlen(id) != SANDBOX_ID_SIZE - 1 || strspn(id, "0123456789abcdef") != SANDBOX_ID_SIZE - 1)
		return; /* not one of our labels */
	HASH_FIND_STR(strays, id, stray);
	if (stray != NULL || sandbox_find(id) != NULL || directory_is_owned(id))
		return;
	stray = mem_alloc(sizeof(*stray));
	snprintf(stray->id, sizeof(stray->id), "%s", id);
	stray->what = what;
	stray->found = directory_exists(id);
	HASH_ADD_STR(strays, id, stray);
	log_sandbox(LOG_DEBUG, id, "removing it: %s", counter_rows[what].text);
	docker_inspect(docker, stray->id, on_inspected, stray);
}

int stray_count(void)
{
	return (int)HASH_COUNT(strays);
}

static void sweep_one(const char *id, void *arg)
{
	bool (*keep)(const char *id) = *(bool (**)(const char *))arg;

	if (sandbox_find(id) == NULL && !keep(id))
		stray_remove(id, COUNT_DRIFT_DIRECTORY);
}

void stray_sweep_directories(bool (*keep)(const char *id))
{
	struct err err;

	if (directory_each(sweep_one, &keep, &err) < 0)
		log_error("%s", err.msg);
}

void stray_init(struct docker *d)
{
	docker = d;
}
