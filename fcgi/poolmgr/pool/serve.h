/*
 * Which sandbox serves whom. Requests for one version wait in its queue, first come, first served; when spares of a shape are
 * short, the versions that wait take turns.
 */
#ifndef POOLMGR_POOL_SERVE_H
#define POOLMGR_POOL_SERVE_H

#include "conf/conf.h"

struct sandbox;
struct shape;
struct version;

/* failed is called when the files of a version could not be linked into its sandbox, once those who waited were told. */
void serve_init(void (*failed)(struct version *version, const char *why));
void serve_set_conf(const struct conf *conf);

/* Serves the version's queue as far as idle sandboxes and spares go; those that are only kept by a worker will follow. */
void serve_queue(struct version *version);

/* Gives the spares of the shape to who waits, as long as there are both. */
void serve_hungry(struct shape *shape);

/* Links the version's files into a spare, which then serves who waits, or waits itself. */
void serve_assign(struct version *version, struct sandbox *spare);

/* The workers that have a sandbox of this version give it back as soon as no invocation runs in it. */
void serve_recall(struct version *version);

#endif
