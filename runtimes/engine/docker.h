/*
 * Docker Engine as the runtime of sandboxes: starts, removes and lists containers, and reports when one has ended. All paths
 * and fields are those of the Docker Engine API v1.41 (https://docs.docker.com/engine/api/v1.41/).
 *
 * Everything is asynchronous on the libuv loop. Each callback is called exactly once, never from within the call it was passed
 * to. Errors are written for users; Docker's own messages are quoted.
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

/* Hooks of the owner. */
struct docker_events {
	/* Docker Engine answers (again); what is known about its containers may be out of date. */
	void (*up)(void *arg);
	/* Docker Engine does not answer any more. */
	void (*down)(void *arg);
	/* The container of a sandbox of this instance has ended; exit_code -1: not known. */
	void (*died)(const char *sandbox_id, int exit_code, void *arg);
	/* A sandbox was sent a signal through Docker Engine. */
	void (*signalled)(const char *sandbox_id, void *arg);
	void *arg;
};

/* A sandbox to start. Everything is borrowed for the duration of the call. */
struct docker_launch {
	const char *sandbox_id;
	const struct driver *driver;
	const char *image;
	const json_t *command; /* the command that the launcher executes */
	const char *host_dir;  /* its directory on the host, with berth/ (mounted at /berth), passwd and group */
	uint32_t uid;          /* user and group */
	int64_t memory_mb;     /* the function's limit, of memory and swap together, */
	int64_t own_memory_mb; /* and what the sandbox needs beside it */
	int64_t cpu_millis;
	int64_t tmp_mb, tmp_inodes;
	int64_t pids, nofile;
	bool egress; /* connected to the network of scripts/egress */
};

/* err NULL: done. */
typedef void (*docker_done_fn)(const struct err *err, void *arg);

/* err NULL: container_id is its full id, 64 hexadecimal digits. */
typedef void (*docker_created_fn)(const struct err *err, const char *container_id, void *arg);

/* Docker's state of a container. */
struct docker_state {
	char container_id[65]; /* "" when Docker does not report it */
	bool running;
	bool oom_killed;
	int pid;       /* pid of its first process; 0 when it does not run */
	int exit_code; /* valid when it has ended */
};

/* err NULL: *state is valid for the duration of the call. err->code ENOENT: there is no such container. */
typedef void (*docker_state_fn)(const struct err *err, const struct docker_state *state, void *arg);

/* Called for one container of this instance. container_id: its full id; "" when Docker does not report it. */
typedef void (*docker_container_fn)(const char *sandbox_id, const char *container_id, bool running, void *arg);

/*
 * Starts probing the engine at once. conf is read at every use, and must outlive the object or be replaced with
 * docker_set_conf.
 */
int docker_new(uv_loop_t *loop, const struct conf *conf, const struct docker_events *events, struct docker **docker,
	       struct err *err);

/* Drops its probe, the event stream and all callbacks. Accepts NULL. */
void docker_free(struct docker **docker);
void docker_set_conf(struct docker *docker, const struct conf *conf);

bool docker_is_up(const struct docker *docker);

/*
 * Whether the engine is up and reports events of containers. When this becomes false, the engine may be about to stop or to
 * restart.
 */
bool docker_is_heard(const struct docker *docker);

/* To be called when an event may mean that the engine is about to stop: probes it sooner. */
void docker_doubt(struct docker *docker);

/* True until the first answer, or failure to get one. */
bool docker_is_unknown(const struct docker *docker);

/* Why the engine is not up; "" when it is. */
const char *docker_problem(const struct docker *docker);

/* While the engine is not up: the pause before the next probe. */
int64_t docker_retry_ms(const struct docker *docker);

/*
 * Whether the engine has a runtime. The engine is asked when it comes up and at intervals, because its configuration can change
 * while it runs.
 */
bool docker_offers(const struct docker *docker, const char *runtime);

/* The engine's version; "" when it was never seen. */
const char *docker_version(const struct docker *docker);

/* Creates and starts the container. created is called in between, when the container exists but does not run yet. */
void docker_start(struct docker *docker, const struct docker_launch *launch, docker_created_fn created, docker_done_fn started,
		  void *arg);

void docker_inspect(struct docker *docker, const char *sandbox_id, docker_state_fn done, void *arg);

/* Kills and removes the container. A container that does not exist counts as removed. */
void docker_remove(struct docker *docker, const char *sandbox_id, docker_done_fn done, void *arg);

/*
 * Removes the leftovers of containers of this instance that were removed by others: the volumes of their /tmp. A bounded number
 * at a time. done is called for each, or once if the list fails, and not at all when there are none.
 */
void docker_prune(struct docker *docker, docker_done_fn done, void *arg);

/* Calls each for every container of this instance, then done. */
void docker_list(struct docker *docker, docker_container_fn each, docker_done_fn done, void *arg);

/* err NULL: the id of the image that the name refers to now; "" when the engine does not report it. */
#define DOCKER_IMAGE_ID_SIZE 128
typedef void (*docker_image_fn)(const struct err *err, const char *id, void *arg);

/* Asks whether an image exists. */
void docker_check_image(struct docker *docker, const char *image, docker_image_fn done, void *arg);

/* The body of POST /containers/create; a new reference. For tests. */
json_t *docker_container_json(const struct conf *conf, const struct docker_launch *launch);

#endif
