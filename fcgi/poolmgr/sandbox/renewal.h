/*
 * Replaces sandboxes of an older image by new ones, for instance after a rebuild for a security update: one by one, spares
 * first, without a restart and without failed requests. image.h says which image a name refers to.
 */
#ifndef POOLMGR_SANDBOX_RENEWAL_H
#define POOLMGR_SANDBOX_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/language.h"

struct sandbox;

/* Whether it was made from an image that is no longer that of its language's version. */
bool renewal_is_due(const struct sandbox *sandbox);

/* Hooks of image.h. The image of a version of a language is known now: sandboxes started before are assumed to be made from it.
 */
void renewal_adopt(const struct language_version *version);

/* An image has changed: renewal_tick has work from now on. */
void renewal_begin(void);

/* Replaces another sandbox of each shape when it is due; called every tick. */
void renewal_tick(int64_t now_us);

#endif
