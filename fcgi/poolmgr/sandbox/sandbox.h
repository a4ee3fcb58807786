/*
 * A sandbox: one container, its directory on the host, and the two sockets to its agent. It serves one version of one function,
 * one invocation at a time, and is never given to another version or function.
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
#include "output/loaded.h"
#include "poolmgr/catalog/shape.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/node/watch.h"
#include "poolmgr/sandbox/cgroup.h"
#include "poolmgr/sandbox/late.h"

#define SANDBOX_ID_SIZE 17 /* 16 hexadecimal digits */

enum sandbox_state {
	SANDBOX_CREATING, /* Docker creates the container */
	SANDBOX_BOOTING,  /* the container starts; the agent has not sent HELLO */
	SANDBOX_SPARE,    /* ready for any function of its shape */
	SANDBOX_ASSIGNED, /* its function's files are being linked */
	SANDBOX_WARMING,  /* it loads its function because of min_warm (poolmgr/sandbox/warmup.h) */
	SANDBOX_LEASED,   /* a worker uses it */
	SANDBOX_IDLE,     /* it waits for its version's next invocation */
	SANDBOX_DYING,    /* being killed and removed */
	SANDBOX_GONE,     /* only its memory is left */
	SANDBOX_STATE_COUNT
};

struct client;

struct sandbox {
	char id[SANDBOX_ID_SIZE];
	enum sandbox_state state;
	int64_t since_us; /* since when it is in this state */
	int64_t created_us;
	int64_t booted_us;  /* when it became SPARE; 0: not yet */
	int64_t started_us; /* when Docker reported its start; 0: not yet, even though it may be up */
	int64_t listed_us;  /* the latest listing of containers that included it (poolmgr/reconcile.c) */
	uint32_t uid;
	struct shape *shape;     /* counted in shape->users */
	struct version *version; /* holds a reference from ASSIGNED to DYING */

	/* LEASED only */
	struct client *holder;
	uint64_t lease_id;
	bool recalled;         /* its worker was asked to give it back (RECALL) */
	enum counter unwanted; /* why it will be killed when it is given back; 0: it will not */

	struct late late;                   /* the invocation that it ran last, to which what it prints now belongs */
	char start_cause[START_CAUSE_SIZE]; /* for its first invocation: why it takes the place of another one, or "" */
	struct loaded loaded;               /* printed while the code was loaded ahead, for the first invocation */

	bool initialised;          /* the code is loaded: the next start is warm */
	bool dead;                 /* its agent or container ended while it was LEASED; the worker notices by itself */
	int exit_code;             /* exit code of its agent; -1: not known */
	bool launcher_gone;        /* reported by the launcher */
	uint64_t postmortem_seq;   /* seq of the worker's question how it ended (poolmgr/sandbox/postmortem.h); 0: none */
	int64_t postmortem_us;     /* when to ask Docker, unless it reports before; 0: it is being asked */
	int64_t postmortem_end_us; /* when to answer the worker with what is known by then */
	int holds;                 /* number of operations that must end before it is removed */
	int64_t remove_retry_us;   /* DYING: when to try removing it again; 0: a removal is under way */
	int remove_failures;

	int64_t cpu_read_us; /* processor time at the end of its latest invocation; -1: not known */
	int64_t cpu_seen_us; /* processor time at the latest look */
	int64_t cpu_look_us; /* IDLE: when to look next */
	bool restless;       /* it used more than a little while it was IDLE: it is frozen as soon as it is IDLE again */

	char image_id[DOCKER_IMAGE_ID_SIZE]; /* id of the image it was made from; "": not known */

	char container_id[65]; /* "" while CREATING */
	struct cgroup cgroup;  /* opened while BOOTING, if there is a warden */
	int dir_fd;
	int control_listener, log_listener;   /* CREATING and BOOTING only */
	int control_fd, log_fd, error_log_fd; /* log: stdout, error_log: stderr */
	int end_fd;                           /* connection on which its launcher reports how the agent ended */
	struct watch *control_watch, *log_watch, *error_log_watch, *end_watch;
	struct buf in; /* received bytes: BOOTING: of HELLO; WARMING: of READY */

	struct sandbox *prev, *next;           /* sandbox_lists[state] */
	struct sandbox *peer_prev, *peer_next; /* SPARE: shape->spares; IDLE: version->idle; LEASED: version->leased */
	UT_hash_handle hh;                     /* by id */
};

/* The sandboxes in each state, longest in it first; their number, and the sum of their memory (shape_memory_mb). */
extern struct sandbox *sandbox_lists[SANDBOX_STATE_COUNT];
extern int sandbox_counts[SANDBOX_STATE_COUNT];
extern int64_t sandbox_memory_mb[SANDBOX_STATE_COUNT];

/* Hooks, called when something happens to a sandbox by itself. */
struct sandbox_hooks {
	void (*spare)(struct sandbox *sandbox);                     /* it has become SPARE */
	void (*start_failed)(struct shape *shape, const char *why); /* a sandbox of that shape is DYING and was never SPARE */
	void (*gone)(void);                                         /* a sandbox is GONE: there is room */
	void (*dead)(struct sandbox *sandbox);                      /* a sandbox that is LEASED or IDLE has ended */
};

int sandbox_init(uv_loop_t *loop, const struct conf *conf, struct docker *docker, const struct sandbox_hooks *hooks,
		 struct err *err);

const char *sandbox_state_name(enum sandbox_state state);
void sandbox_set_state(struct sandbox *sandbox, enum sandbox_state state);

/* All that are not GONE. */
int sandbox_total(void);
int64_t sandbox_total_memory_mb(void);
struct sandbox *sandbox_find(const char *id); /* NULL when there is none */

/* Creates the struct of a new sandbox, CREATING, without container or directory; boot.h does the rest. */
struct sandbox *sandbox_new(struct shape *shape);
bool sandbox_is_starting(const struct sandbox *sandbox); /* CREATING or BOOTING */

/* The result of the start: it is SPARE, or it is DYING and its shape has the reason. */
void sandbox_is_up(struct sandbox *sandbox);
void sandbox_fail_start(struct sandbox *sandbox, const char *why);

/* Kills the sandbox and counts the reason: it is DYING, later GONE and freed. A second call does nothing. */
void sandbox_kill(struct sandbox *sandbox, enum counter why);

/* Records what it has printed since its latest invocation, as far as that is to be kept. Not for one that a worker has. */
void sandbox_read_late(struct sandbox *sandbox);

/*
 * Holds a sandbox: if it is killed meanwhile, its struct, directory and dir_fd stay until the hold is released, which may begin
 * its removal.
 */
void sandbox_hold(struct sandbox *sandbox);
void sandbox_release_hold(struct sandbox *sandbox);

/* The processor time it has used since its latest invocation; 0 when that is not known. */
int64_t sandbox_background_us(struct sandbox *sandbox);

/* From now on its control socket and its launcher's connection are watched only for its end: sandbox_died. */
void sandbox_watch_end(struct sandbox *sandbox);

/* To be called when its agent or its container has ended; exit_code -1: not known. */
void sandbox_died(struct sandbox *sandbox, int exit_code);

/* To be called when someone sent it a signal through Docker Engine to end it. */
void sandbox_signalled(struct sandbox *sandbox);

/* Repeats removals that failed, and tells shapes which starts proved successful; called every tick. */
void sandbox_tick(int64_t now_us);

#endif
