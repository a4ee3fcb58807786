/*
 * A worker's connection to poolmgr (ipc/ipc_msg.def). It is made when first needed and made anew when it breaks. A question
 * whose answer was lost is simply asked again, until its deadline: a restart of poolmgr is a short wait, not an error.
 */
#ifndef RUN_LINK_H
#define RUN_LINK_H

#include <stdint.h>

#include "base/err.h"
#include "ipc/ipc.h"
#include "run/patience.h"

struct link;

/* What poolmgr does unasked; called from within the functions below. */
struct link_hooks {
	void (*recall)(uint64_t lease_id, void *arg);
	void (*lost)(void *arg); /* the connection is gone, and with it everything that was leased over it and not held */
	void *arg;
};

/* Does not connect yet. patience is borrowed and may be NULL. */
struct link *link_new(const char *run_dir, const struct link_hooks *hooks, struct patience *patience);
void link_free(struct link **link); /* destructor for AUTO; accepts NULL */

/* Names the sandbox that must outlive the connection, because an invocation runs in it; "" none. */
void link_set_held(struct link *link, const char *sandbox_id);

/*
 * Asks until there is an answer or the deadline has passed; seq is where the question keeps its own. What answer points to
 * lasts until the next call. On failure err->code is ETIMEDOUT when poolmgr was there and did not answer, else ECONNREFUSED.
 * Takes no longer than a second more than deadline_us.
 */
int link_ask(struct link *link, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us, struct ipc_msg *answer,
	     struct err *err);

/* The same on the connection there is, and no other. */
int link_ask_once(struct link *link, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us, struct ipc_msg *answer,
		  struct err *err);

/* Says something that has no answer. When it cannot be said, the connection is given up. */
int link_tell(struct link *link, const struct ipc_msg *msg, struct err *err);

/* Takes what poolmgr says unasked; does not wait for more. */
void link_hear(struct link *link);

/* Readable: link_hear has something to do. -1 while there is no connection. */
int link_fd(const struct link *link);

/* Counts connections: another number means another poolmgr may be behind it. 0: there was none yet. */
uint64_t link_generation(const struct link *link);

/*
 * For who holds a sandbox while an invocation runs in it: hears, and connects anew when the connection is gone, so that the
 * next poolmgr learns the sandbox is in use. To be called when link_fd is readable and at link_keep_due_us. Never blocks.
 */
void link_keep(struct link *link);
int64_t link_keep_due_us(const struct link *link); /* INT64_MAX: never */

void link_close(struct link *link);

#endif
