/*
 * A Docker Engine for tests, on the test's own libuv loop: it answers on a unix socket, remembers containers, and plays the
 * agent of each that is started. Nothing runs by itself but that loop, so a test sees every step and no lock is needed.
 *
 * It is as strict as the real one (API version, names, JSON), and misbehaves where it is told to.
 */
#ifndef SUPPORT_FAKE_DOCKER_H
#define SUPPORT_FAKE_DOCKER_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "base/defs.h"

enum fake_call {
	FAKE_VERSION,
	FAKE_CREATE,
	FAKE_START,
	FAKE_REMOVE,
	FAKE_LIST,
	FAKE_INSPECT,
	FAKE_IMAGE,
	FAKE_EVENTS,
	FAKE_INFO,
	FAKE_VOLUMES,
	FAKE_VOLUME_REMOVE,
	FAKE_CALL_COUNT
};

/* What a started container's agent does. Whatever more there is to say, the test says: fake_container_say. */
enum fake_boot {
	FAKE_BOOT_GOOD,       /* connects both sockets and says HELLO */
	FAKE_BOOT_SILENT,     /* connects both sockets */
	FAKE_BOOT_NO_LOG,     /* connects only control.sock and says HELLO */
	FAKE_BOOT_ABSENT,     /* does nothing */
	FAKE_BOOT_HANGS_UP,   /* connects both sockets and goes */
	FAKE_BOOT_TOO_EARLY,  /* like GOOD, but when its container is created */
	FAKE_BOOT_SHORT_LIVED /* like GOOD, and goes */
};

struct fake_container {
	char *name;
	char id[65];      /* 64 hexadecimal digits */
	char *sandbox_id; /* from its label */
	char *state;      /* "created", "running", "exited" */
	int exit_code;    /* 137; told once it has ended */
	bool oom_killed;  /* likewise */
	json_t *body;     /* of its creation */
	int control_fd, log_fd, error_log_fd, end_fd;
	struct fake_container *prev, *next;
};

/* How one kind of call is answered; all zero: as it should be. */
struct fake_manner {
	bool hold;        /* it is done, but answered no sooner than fake_docker_let_go */
	int status;       /* this, with body, and nothing is done */
	const char *body; /* borrowed */
	const char *raw;  /* these bytes, borrowed, and then the connection is closed; nothing is done */
};

struct fake_docker {
	/* The test may set these at any time. */
	const char *version, *api, *min_api; /* of GET /version; min_api NULL: too old to have one */
	const char *image_id;                /* of every image; NULL: sha256:0 */
	const char *missing_image;           /* the one image that is not there; NULL: all are */
	const char *volume;                  /* where every image declares one; NULL: none does */
	const char *runtimes;                /* of GET /info, as JSON: runc and berth-runsc */
	enum fake_boot boot;
	struct fake_manner manner[FAKE_CALL_COUNT];

	/* And look at these. */
	struct fake_container *containers;
	int volumes;                      /* nobody uses: v1, v2, … */
	int calls[FAKE_CALL_COUNT];       /* how many came */
	char *last_path[FAKE_CALL_COUNT]; /* percent-decoded; NULL: never called */
	int unknown_calls;                /* what the real one would not understand */
	int connections;                  /* open now */

	struct fake_internals *in;
};

/* Listens at once. path is short enough for an address. */
struct fake_docker *fake_docker_new(uv_loop_t *loop, const char *path);

/* The loop must run once more for what it closes. Accepts NULL. */
void fake_docker_free(struct fake_docker **docker);

/* The engine is gone, connections and all; containers stay. And it is back. */
void fake_docker_stop(struct fake_docker *docker);
void fake_docker_stop_listening(struct fake_docker *docker); /* but the connections stay */
void fake_docker_start(struct fake_docker *docker);

/* Forgets the manners and counts, not the containers. */
void fake_docker_reset(struct fake_docker *docker);

/* Answers held calls of that kind; later ones are held while the manner says so. Returns how many there were. */
int fake_docker_let_go(struct fake_docker *docker, enum fake_call call);
int fake_docker_held(const struct fake_docker *docker, enum fake_call call);

int fake_docker_count(const struct fake_docker *docker);
struct fake_container *fake_docker_find(const struct fake_docker *docker, const char *sandbox_id); /* NULL: no such one */

/* A container nobody asked for. */
struct fake_container *fake_docker_add(struct fake_docker *docker, const char *instance, const char *sandbox_id,
				       const char *state);

/* It never was. */
void fake_docker_forget(struct fake_docker *docker, const char *sandbox_id);

/* The container ends: its agent goes, and the event stream says so unless it is to be missed. */
void fake_docker_die(struct fake_docker *docker, const char *sandbox_id, bool told);

/* Puts bytes on every open event stream; ends them all. */
void fake_docker_emit(struct fake_docker *docker, const char *data, size_t len);
void fake_docker_end_events(struct fake_docker *docker);
int fake_docker_streams(const struct fake_docker *docker); /* open now */

/* The die event of a container, as the real one writes it, without the newline. exit_code NULL: it does not say. Free it. */
char *fake_docker_event_new(const char *instance, const char *sandbox_id, const char *exit_code);

/* Bytes from the agent; false when the host has closed its end. */
bool fake_container_say(struct fake_container *container, const void *data, size_t len);
void fake_container_hang_up(struct fake_container *container);

/* Its launcher says that the agent has ended, and how. */
void fake_container_say_end(struct fake_container *container, unsigned char exit_code);

/* The first process of every container that runs, as far as the engine says. */
#define FAKE_PID 4711

/* HELLO of protocol 1. */
#define FAKE_HELLO     "\0\0\0\x0e\x01{\"protocol\":1}"
#define FAKE_HELLO_LEN (sizeof(FAKE_HELLO) - 1)

#endif
