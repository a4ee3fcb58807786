/*
 * What the master hands to every child across fork and exec: fixed descriptor numbers and three command line options. Nothing
 * else is inherited: descriptors above HERITAGE_FD_LAST are closed.
 *
 *   berthd --child=<role> --slot=<n> --clients=<uid>,<uid>, or berthd-invoke for invoke workers
 *
 * A child starts as the user of its role (invoke.user, control.user, …) without a way back to root, with no_new_privs and
 * without capabilities (the warden: with CAP_KILL and CAP_DAC_OVERRIDE alone), umask 077, in "/", stdin from /dev/null, every
 * signal at its default but SIGINT, which is ignored: ^C is for the master. SIGTERM and SIGHUP are blocked, so that one sent
 * before there is a handler waits for it; all others are not. Its title and log level are set. It is not dumpable, so that
 * others of its role, which are the same user, cannot look into it: from exec(2) on, since its program may be executed but not
 * read. Its slot says SLOT_STARTING; the child sets it to SLOT_IDLE when it is ready for work, whatever its role.
 *
 * The workers of a berthd that is to take over from another one find the gate closed: it opens once all are ready.
 */
#ifndef IPC_HERITAGE_H
#define IPC_HERITAGE_H

#include <sys/types.h>

#define HERITAGE_LISTENERS_MAX 64 /* the largest invoke.lanes */
#define HERITAGE_CALLER_LANES  16 /* of a pool that keeps callers apart; scripts/render-nginx has the same number */
#define HERITAGE_HEALTH_LANES  2  /* for what waits for nobody, and for /readyz */

enum heritage_fd {
	HERITAGE_CONF_FD = 3,       /* memfd, read-only: the configuration as text, for conf_load_fd; invoke, warden: without
				       database.conninfo */
	HERITAGE_SCOREBOARD_FD = 4, /* memfd: shared scoreboard */
	HERITAGE_LIFE_FD = 5,       /* pipe; end of file when the master is gone: finish and exit */
	HERITAGE_TURN_FD = 6,       /* invoke: eventfd, shared by the pool (worker/turn.h); others: none */
	HERITAGE_WARDEN_FD = 7,     /* poolmgr, warden: their ends of a SOCK_SEQPACKET pair that outlives both; others: none */
	HERITAGE_GATE_FD = 8,       /* workers and follow: eventfd, never read; readable: begin to accept; others: none */
	/* FastCGI sockets: invoke.lanes of invoke, HERITAGE_CALLER_LANES of deploy and query, HERITAGE_HEALTH_LANES of health,
	   one of control and follow; poolmgr: its IPC socket */
	HERITAGE_LISTEN_FD = 9,
	HERITAGE_FD_LAST = HERITAGE_LISTEN_FD + HERITAGE_LISTENERS_MAX - 1,
};

/*
 * Signals from the master:
 *
 *   SIGTERM  finish what you hold, then exit 0; SIGKILL follows after master.stop_timeout_ms
 *   SIGQUIT  exit now
 *   SIGHUP   poolmgr and collector: the text behind HERITAGE_CONF_FD has changed, load it again. A text that does not load is
 *            about to change once more: keep what you have. Workers never get it: they are replaced; nor does the warden, which
 * has no settings
 */

/* In the order in which a reload replaces them: once the control workers are new, all are. */
enum child_role {
	CHILD_INVOKE,
	CHILD_FOLLOW,
	CHILD_DEPLOY,
	CHILD_QUERY,
	CHILD_HEALTH,
	CHILD_CONTROL,
	CHILD_POOLMGR,
	CHILD_COLLECTOR,
	CHILD_WARDEN,
	CHILD_ROLE_COUNT
};

/* "invoke", "deploy", "poolmgr", … */
const char *child_role_name(enum child_role role);

/* CHILD_ROLE_COUNT when there is no such role. */
enum child_role child_role_parse(const char *name);

struct conf;

#define HERITAGE_CLIENTS 2

/* What a child's main gets. Each returns the process's exit status. */
struct heritage {
	enum child_role role;
	int slot;                        /* its scoreboard slot */
	uid_t clients[HERITAGE_CLIENTS]; /* who may connect to poolmgr besides root: invoke workers, control workers */
	const struct conf *conf;         /* outlives the process's main */
};

int invoke_main(const struct heritage *heritage);
int control_main(const struct heritage *heritage); /* of deploy, query and health, too */
int follow_main(const struct heritage *heritage);
int poolmgr_main(const struct heritage *heritage);
int collector_main(const struct heritage *heritage);
int warden_main(const struct heritage *heritage);

#endif
