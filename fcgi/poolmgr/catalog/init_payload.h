/*
 * The payload of INIT (runtimes/protocol.md): everything that a sandbox must know about the version that it is going to run. It
 * is made for each sandbox when it is sent, so that it has the sandbox's own id and the current settings.
 */
#ifndef POOLMGR_CATALOG_INIT_PAYLOAD_H
#define POOLMGR_CATALOG_INIT_PAYLOAD_H

#include "conf/conf.h"
#include "ipc/spec.h"

/* The settings lambda.*; borrowed. */
void init_payload_set_conf(const struct conf *conf);

/* Returns JSON, which the caller frees. */
char *init_payload_new(const struct spec *spec, const char *sandbox_id);

#endif
