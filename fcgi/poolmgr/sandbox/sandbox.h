/*
 * A sandbox: one container, its directory on the host and the two sockets to its agent. It serves one version of one function,
 * one invocation at a time, and is never given to another.
 *
 *   CREATING → BOOTING → SPARE → ASSIGNED → LEASED ⇄ IDLE → DYING → GONE
 *                                   └─────→ WARMING ──→┘
 *
 * Each state is a list; sandbox_set_state is the only place that changes one. sandbox_kill may be called in any state and is
 * the only way out.
 */
#ifndef POOLMGR_SANDBOX_SANDBOX_H
#define POOLMGR_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include <uv.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "engine/docker.h"
#include "poolmgr/catalog/shape.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/node/watch.h"
#include "poolmgr/sandbox/cgroup.h"

#define SANDBOX_ID_SIZE 17 /* 16 hexadecimal digits */

enum sandbox_state {
	SANDBOX_CREATING, /* Docker makes the container */
	SANDBOX_BOOTING,  /* it starts; the agent has not said hello */
	SANDBOX_SPARE,    /* ready for any function of its shape */
	SANDBOX_ASSIGNED, /* its function's files are being linked */
	SANDBOX_WARMING,  /* it loads its function, for the sake of min_warm (poolmgr/sandbox/warmup.h) */
	SANDBOX_LEASED,   /* a worker talks to it */
	SANDBOX_IDLE,     /* waits for its version's next invocation */
	SANDBOX_DYING,    /* being killed and removed */
	SANDBOX_GONE,     /* only its memory is left */
	SANDBOX_STATE_COUNT
};

struct client;

struct sandbox {
	char id[SANDBOX_ID_SIZE];
	enum sandbox_state state;
	int64_t since_us; /* in this state */
	int64_t created_us;
	int64_t booted_us;  /* when it became SPARE; 0: not yet */
	int64_t started_us; /* when Docker had done with starting it; 0: not yet, though it may be up */
	int64_t listed_us;  /* the latest listing of containers it was in (poolmgr/reconcile.c) */
	uint32_t uid;
	struct shape *shape;     /* counted in shape->users */
	struct version *version; /* a reference, from ASSIGNED to DYING */

	/* LEASED only */
	struct client *holder;
	uint64_t lease_id;
	bool recalled;         /* its worker was asked to give it back */
	enum counter unwanted; /* why it goes when it is given back; 0: it stays */

	bool initialised;        /* INIT was sent and answered: the next start is warm */
	bool dead;               /* its agent or container ended while it was LEASED; the worker finds out by itself */
	int exit_code;           /* of its agent, -1: not known */
	bool launcher_gone;      /* whatever it has said before */
	uint64_t autopsy_seq;    /* the worker's question how it ended (poolmgr/sandbox/autopsy.h); 0: none */
	int64_t autopsy_us;      /* when Docker is asked next, unless it tells before; 0: it is being asked */
	int64_t autopsy_end_us;  /* when the worker is told what is known by then */
	int holds;               /* what is at work on it and must come to its end before it is removed */
	int64_t remove_retry_us; /* DYING: when to try again; 0: a removal is under way */
	int remove_failures;

	int64_t cpu_read_us; /* what it had used of the processor at the end of its latest invocation; -1: not known */
	int64_t cpu_seen_us; /* and what it had when that was last looked at */
	int64_t cpu_look_us; /* IDLE: when it is looked at next */
	bool restless;       /* it used more than a little while it was IDLE: it is frozen as soon as it is again */

	char image_id[DOCKER_IMAGE_ID_SIZE]; /* of what it was made of; "" not known */

	char container_id[65]; /* "" while CREATING */
	struct cgroup cgroup;  /* opened while BOOTING, if there is a warden */
	int dir_fd;
	int control_listener, log_listener;   /* CREATING and BOOTING only */
	int control_fd, log_fd, error_log_fd; /* log: stdout, error_log: stderr */
	int end_fd;                           /* where its launcher says how the agent ended */
	struct watch *control_watch, *log_watch, *error_log_watch, *end_watch;
	struct buf in; /* BOOTING: what has come of HELLO; WARMING: of READY */

	struct sandbox *prev, *next;           /* sandbox_lists[state] */
	struct sandbox *peer_prev, *peer_next; /* SPARE: shape->spares; IDLE: version->idle; LEASED: version->leased */
	UT_hash_handle hh;                     /* by id */
};

/* Oldest in its state first; how many there are, and the memory they may use together. */
extern struct sandbox *sandbox_lists[SANDBOX_STATE_COUNT];
extern int sandbox_counts[SANDBOX_STATE_COUNT];
extern int64_t sandbox_memory_mb[SANDBOX_STATE_COUNT];

/* What the pool does when something happens by itself. */
struct sandbox_hooks {
	void (*spare)(struct sandbox *sandbox);                     /* it has become SPARE */
	void (*start_failed)(struct shape *shape, const char *why); /* one of that shape is DYING before it was ever SPARE */
	void (*gone)(void);                                         /* one is GONE: there is room */
	void (*dead)(struct sandbox *sandbox);                      /* one that is LEASED or IDLE has ended */
};

int sandbox_init(uv_loop_t *loop, const struct conf *conf, struct docker *docker, const struct sandbox_hooks *hooks,
		 struct err *err);

const char *sandbox_state_name(enum sandbox_state state);
void sandbox_set_state(struct sandbox *sandbox, enum sandbox_state state);

/* All that are not GONE. */
int sandbox_total(void);
int64_t sandbox_total_memory_mb(void);
struct sandbox *sandbox_find(const char *id); /* NULL when there is none */

/* A new one, CREATING, of which nothing is there yet: boot.h does the rest. */
struct sandbox *sandbox_new(struct shape *shape);
bool sandbox_is_starting(const struct sandbox *sandbox); /* CREATING or BOOTING */

/* What became of the start: it is SPARE; or it is DYING, and its shape knows why. */
void sandbox_is_up(struct sandbox *sandbox);
void sandbox_fail_start(struct sandbox *sandbox, const char *why);

/* Puts it to death: DYING, later GONE and freed, and counts why. A second call does nothing. */
void sandbox_kill(struct sandbox *sandbox, enum counter why);

/* Keeps a sandbox that is killed meanwhile, its directory and dir_fd until the hold is released, which may begin its removal.
 */
void sandbox_hold(struct sandbox *sandbox);
void sandbox_release_hold(struct sandbox *sandbox);

/* How much it has used of the processor since its latest invocation; 0 when that is not known. */
int64_t sandbox_background_us(struct sandbox *sandbox);

/* From now on only its end is heard of on its control socket, and of its launcher: sandbox_died. */
void sandbox_watch_end(struct sandbox *sandbox);

/* Its agent or its container has ended; exit_code -1: not known. */
void sandbox_died(struct sandbox *sandbox, int exit_code);

/* Somebody sent it a signal through Docker Engine, wanting it to end. */
void sandbox_signalled(struct sandbox *sandbox);

/* Repeats removals that failed, and tells shapes of those that have proved good; called every tick. */
void sandbox_tick(int64_t now_us);

#endif
