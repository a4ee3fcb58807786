/*
 * A worker's connection to poolmgr (ipc/ipc_msg.def). It is opened when first needed and reopened when it breaks. A question
 * whose answer was lost is repeated until its deadline, so a restart of poolmgr is a short wait and not an error.
 */
#ifndef RUN_LINK_H
#define RUN_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ipc/ipc.h"
#include "run/slow_timer.h"

struct link;

/* Hooks for what poolmgr does unasked; called from within the functions below. */
struct link_hooks {
	void (*recall)(uint64_t lease_id, void *arg);
	void (*lost)(void *arg); /* the connection is gone, and with it every sandbox leased over it that link_set_held has not
				    named */
	void *arg;
};

/* Does not connect yet. slow_timer is borrowed and may be NULL. */
struct link *link_new(const char *run_dir, const struct link_hooks *hooks, struct slow_timer *slow_timer);
void link_free(struct link **link); /* destructor for AUTO; accepts NULL */

/* Names the sandbox that must outlive the connection, because an invocation runs in it; "" for none. */
void link_set_held(struct link *link, const char *sandbox_id);

/*
 * The connection of the client for which sandboxes are asked for, -1 for none; borrowed. If the client closes it while a
 * question for a sandbox waits, the question is withdrawn: link_ask then fails, or its answer is a GRANT that was under way.
 */
void link_set_asker(struct link *link, int fd);
bool link_asker_has_left(const struct link *link); /* noticed since link_set_asker */

/*
 * Asks until there is an answer or the deadline has passed; seq points to the question's own seq. The content of answer is
 * valid until the next call. On failure err->code is ETIMEDOUT when poolmgr was there and did not answer, otherwise
 * ECONNREFUSED. Returns at most a second after deadline_us.
 */
int link_ask(struct link *link, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us, struct ipc_msg *answer,
	     struct err *err);

/* The same, but only on the current connection. */
int link_ask_once(struct link *link, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us, struct ipc_msg *answer,
		  struct err *err);

/* Sends a message that has no answer. If that fails, the connection is given up. */
int link_send(struct link *link, const struct ipc_msg *msg, struct err *err);

/* Handles messages that poolmgr has sent unasked; does not wait for more. */
void link_hear(struct link *link);

/* Readable when link_hear has something to do; -1 while there is no connection. */
int link_fd(const struct link *link);

/* The number of connections so far: when it changes, another poolmgr may be at the other end. 0: there was none yet. */
uint64_t link_generation(const struct link *link);

/*
 * For use during an invocation: handles messages, and reconnects when the connection is gone, so that the next poolmgr learns
 * that the sandbox is in use. To be called when link_fd is readable and at link_maintain_due_us. Never blocks.
 */
void link_maintain(struct link *link);
int64_t link_maintain_due_us(const struct link *link); /* INT64_MAX: never */

void link_close(struct link *link);

#endif
