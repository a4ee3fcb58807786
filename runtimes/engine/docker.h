/*
 * Docker Engine as a runtime of sandboxes: starts and removes containers, tells when one has died and which there are.
 * Source of all paths and fields: Docker Engine API v1.41 (https://docs.docker.com/engine/api/v1.41/).
 *
 * Everything is asynchronous on the libuv loop. Each callback is called exactly once, never from within the call that got it.
 * Errors come in words a user understands; Docker's own are quoted.
 */
#ifndef DOCKER_DOCKER_H
#define DOCKER_DOCKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"
#include "runtimes/driver.h"

#define DOCKER_LABEL_INSTANCE "berth.instance"
#define DOCKER_LABEL_SANDBOX  "berth.sandbox"

struct docker;

/* What the owner wants to hear. */
struct docker_events {
	/* Docker Engine answers (again): what is known of its containers may be out of date. */
	void (*up)(void *arg);
	/* It does not answer any more. */
	void (*down)(void *arg);
	/* The container of a sandbox of this instance has ended; exit_code -1: not known. */
	void (*died)(const char *sandbox_id, int exit_code, void *arg);
	/* It was sent a signal through Docker Engine. */
	void (*signalled)(const char *sandbox_id, void *arg);
	void *arg;
};

/* One sandbox to start. Everything is borrowed for the time of the call. */
struct docker_launch {
	const char *sandbox_id;
	const struct driver *driver;
	const char *image;
	const json_t *command; /* what the launcher execs */
	const char *host_dir;  /* mounted at /berth */
	uint32_t uid;          /* user and group */
	int64_t memory_mb;     /* memory and swap together */
	int64_t cpu_millis;
	int64_t tmp_mb, tmp_inodes;
	int64_t pids, nofile;
	bool egress; /* on the network that scripts/egress has made */
};

/* err NULL: done. */
typedef void (*docker_done_fn)(const struct err *err, void *arg);

/* err NULL: container_id is its full id, 64 hexadecimal digits. */
typedef void (*docker_created_fn)(const struct err *err, const char *container_id, void *arg);

/* What Docker knows of a container. */
struct docker_state {
	char container_id[65]; /* "" when it does not say */
	bool running;
	bool oom_killed;
	int pid;       /* of its first process; 0 when it does not run */
	int exit_code; /* when it has ended */
};

/* err NULL: *state is there, for the time of the call. err->code ENOENT: there is no such container. */
typedef void (*docker_state_fn)(const struct err *err, const struct docker_state *state, void *arg);

/* One container of this instance. container_id: Docker's; "" when it does not say. */
typedef void (*docker_container_fn)(const char *sandbox_id, const char *container_id, bool running, void *arg);

/* Starts to look for the engine at once. conf is read at every use, and outlives the object or is replaced: docker_set_conf. */
int docker_new(uv_loop_t *loop, const struct conf *conf, const struct docker_events *events, struct docker **docker,
	       struct err *err);

/* Drops its probe and the event stream. Nobody waits for an answer any more. Accepts NULL. */
void docker_free(struct docker **docker);
void docker_set_conf(struct docker *docker, const struct conf *conf);

bool docker_is_up(const struct docker *docker);

/* It is up and tells what happens to containers. When this becomes false it may be about to stop, or to start again. */
bool docker_is_heard(const struct docker *docker);

/* What happened may mean that the engine is about to stop: it is asked sooner than it would be. */
void docker_doubt(struct docker *docker);

/* True until the first answer, or failure to get one. */
bool docker_is_unknown(const struct docker *docker);

/* Why it is not up; "" when it is. */
const char *docker_problem(const struct docker *docker);

/* While it is not up: the pause before it is looked for again. */
int64_t docker_retry_ms(const struct docker *docker);

/*
 * Whether the engine has a runtime. It is asked when it comes up and now and then, as its configuration can change while it
 * runs.
 */
bool docker_offers(const struct docker *docker, const char *runtime);

/* The engine's version, "" when never seen. */
const char *docker_version(const struct docker *docker);

/* Creates and starts the container. created is called in between, when it exists but does not run yet. */
void docker_start(struct docker *docker, const struct docker_launch *launch, docker_created_fn created, docker_done_fn started,
		  void *arg);

void docker_inspect(struct docker *docker, const char *sandbox_id, docker_state_fn done, void *arg);

/* Kills and removes it. One that is not there counts as removed. */
void docker_remove(struct docker *docker, const char *sandbox_id, docker_done_fn done, void *arg);

/*
 * Removes what containers of this instance that others have removed left behind: their /tmp, where it is a volume. Some at a
 * time. done is called for each, and for a list that was not to be had: not at all when there is nothing.
 */
void docker_prune(struct docker *docker, docker_done_fn done, void *arg);

/* Calls each for every container of this instance, then done. */
void docker_list(struct docker *docker, docker_container_fn each, docker_done_fn done, void *arg);

/* err NULL: the image that stands behind the name now; "" when the engine does not say. */
#define DOCKER_IMAGE_ID_SIZE 128
typedef void (*docker_image_fn)(const struct err *err, const char *id, void *arg);

/* Is an image there? */
void docker_check_image(struct docker *docker, const char *image, docker_image_fn done, void *arg);

/* The body of POST /containers/create; a new reference. For tests. */
json_t *docker_container_json(const struct conf *conf, const struct docker_launch *launch);

#endif
