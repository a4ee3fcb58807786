/*
 * What every child inherits from the master across fork and exec: descriptors with fixed numbers and three command line
 * options. Nothing else is inherited: descriptors above INHERITED_FD_LAST are closed.
 *
 *   berthd --child=<role> --slot=<n> --clients=<uid>,<uid>, or berthd-invoke for invoke workers
 *
 * A child starts as the user of its role (invoke.user, control.user, …) without a way back to root, with no_new_privs and
 * without capabilities (the warden: with CAP_KILL and CAP_DAC_OVERRIDE alone), umask 077, in "/", stdin from /dev/null, every
 * signal at its default except SIGINT, which is ignored because ^C is meant for the master. SIGTERM and SIGHUP are blocked, so
 * that a signal sent before the child has a handler stays pending; no other signal is blocked. The title and the log level are
 * set. The child is not dumpable, so processes of the same role, which run as the same user, cannot attach to it; that holds
 * from exec(2) on, because its program can be executed but not read. Its slot is SLOT_STARTING; a child of any role sets it to
 * SLOT_IDLE when it is ready for work.
 *
 * During an upgrade the workers of the new berthd find the gate closed; it opens when all children are ready.
 */
#ifndef IPC_INHERITED_H
#define IPC_INHERITED_H

#include <sys/types.h>

#define INHERITED_LISTENERS_MAX 64 /* the largest invoke.lanes */
#define INHERITED_CALLER_LANES  16 /* lanes of a pool that separates callers; scripts/render-nginx has the same number */
#define INHERITED_HEALTH_LANES  2  /* one for requests that wait for no other process, one for /readyz */

enum inherited_fd {
	INHERITED_CONF_FD = 3, /* memfd, read-only: the configuration as text for conf_load_fd; for invoke and warden without
				 database.conninfo */
	INHERITED_SCOREBOARD_FD = 4, /* memfd: shared scoreboard */
	INHERITED_LIFE_FD = 5,       /* pipe; end of file means that the master is gone: finish and exit */
	INHERITED_TURN_FD = 6,       /* invoke: eventfd, shared by the pool (worker/turn.h); others: none */
	INHERITED_WARDEN_FD = 7,     /* poolmgr, warden: their ends of a SOCK_SEQPACKET pair that outlives both; others: none */
	INHERITED_GATE_FD = 8,       /* workers and follow: eventfd, never read; accept when it is readable; others: none */
	/*
	 * FastCGI sockets: invoke.lanes for invoke, INHERITED_CALLER_LANES for deploy and query, INHERITED_HEALTH_LANES for
	 * health, one for control and follow; poolmgr: its IPC socket
	 */
	INHERITED_LISTEN_FD = 9,
	INHERITED_FD_LAST = INHERITED_LISTEN_FD + INHERITED_LISTENERS_MAX - 1,
};

/*
 * Signals from the master:
 *
 *   SIGTERM  finish what you hold, then exit 0; SIGKILL follows after master.stop_timeout_ms
 *   SIGQUIT  exit now
 *   SIGHUP   poolmgr and collector: the text behind INHERITED_CONF_FD has changed, load it again. A text that does not load is
 *            about to change once more: keep what you have. Workers never get it: they are replaced; nor does the warden, which
 * has no settings
 */

/* In the order in which a reload replaces them: when the control workers are new, all workers are. */
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

#define INHERITED_CLIENTS 2

/* The argument of a child's main function, which returns the process's exit status. */
struct inherited {
	enum child_role role;
	int slot;                         /* its scoreboard slot */
	uid_t clients[INHERITED_CLIENTS]; /* who may connect to poolmgr besides root: invoke workers, control workers */
	const struct conf *conf;          /* valid as long as the process's main runs */
};

int invoke_main(const struct inherited *inherited);
int control_main(const struct inherited *inherited); /* also for deploy, query and health */
int follow_main(const struct inherited *inherited);
int poolmgr_main(const struct inherited *inherited);
int collector_main(const struct inherited *inherited);
int warden_main(const struct inherited *inherited);

#endif
