/*
 * Decides which sandbox serves which request. Requests for one version wait in its queue, first come, first served; when spares
 * of a shape are short, the waiting versions take turns.
 */
#ifndef POOLMGR_POOL_SERVE_H
#define POOLMGR_POOL_SERVE_H

#include "conf/conf.h"

struct sandbox;
struct shape;
struct version;

/*
 * failed is called when the files of a version could not be linked into its sandbox, after the waiting requests were answered.
 */
void serve_init(void (*failed)(struct version *version, const char *why));
void serve_set_conf(const struct conf *conf);

/* Serves the version's queue with idle sandboxes and spares, and recalls sandboxes that workers only keep. */
void serve_queue(struct version *version);

/* Assigns the spares of the shape to waiting requests, as long as there are both. */
void serve_hungry(struct shape *shape);

/* Links the version's files into a spare, which then serves a waiting request or waits for one. */
void serve_assign(struct version *version, struct sandbox *spare);

/* Has all workers give back sandboxes of this version as soon as no invocation runs in them. */
void serve_recall(struct version *version);

#endif
