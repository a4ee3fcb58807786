/*
 * Sandboxes of an older image are replaced by new ones, after a rebuild for a security update for instance: one by one, spares
 * first, without a restart and without a request that fails. image.h says which image stands behind a language's name.
 */
#ifndef POOLMGR_SANDBOX_RENEWAL_H
#define POOLMGR_SANDBOX_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/language.h"

struct sandbox;

/* Does it run another image than its language's by now? */
bool renewal_is_due(const struct sandbox *sandbox);

/* Hooks of image.h. The image of a language is known now: what was started before that is taken for one of it. */
void renewal_adopt(const struct language *language);

/* An image is another one: from here on renewal_tick has work. */
void renewal_begin(void);

/* Replaces another one of each shape, when the time has come; called every tick. */
void renewal_tick(int64_t now_us);

#endif
