/*
 * Which image stands behind a language's name, and which sandboxes run an older one: after a rebuild, for a security update for
 * instance, those are replaced one by one, spares first, without a restart and without a request that fails.
 */
#ifndef POOLMGR_IMAGE_H
#define POOLMGR_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/language.h"
#include "engine/docker.h"

struct sandbox;

/* That is what Docker says now; asked for every now and then (stats_check_images). */
void image_learn(const struct language *language, const char *id);

/* What the next sandbox of a language will be made of, as far as is known; "" when it is not. Good until the next image_learn.
 */
const char *image_of(const struct language *language);

/* Does it run another one than its language's by now? */
bool image_is_outdated(const struct sandbox *sandbox);

/* Replaces another one of each shape, when the time has come; called every tick. */
void image_tick(int64_t now_us);

#endif
