/*
 * Sandboxes that wait for work are frozen after a while: they cost no processor time then, but for a breath now and then. One
 * whose function works on between its invocations is frozen as soon as that is seen, and from then on at once.
 */
#ifndef POOLMGR_SANDBOX_REST_H
#define POOLMGR_SANDBOX_REST_H

#include <stdint.h>

#include "conf/conf.h"
#include "engine/docker.h"

void rest_init(const struct conf *conf, struct docker *docker);
void rest_set_conf(const struct conf *conf);
void rest_tick(int64_t now_us);

struct sandbox;
void rest_at_once(struct sandbox *sandbox);

#endif
