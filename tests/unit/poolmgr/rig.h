/* What tests of poolmgr stand on: the engine's rig, and what makes sandboxes with it. */
#ifndef UNIT_POOLMGR_RIG_H
#define UNIT_POOLMGR_RIG_H

#include "tests/unit/runtimes/engine_rig.h"

struct sandbox_hooks;

/* All that makes sandboxes, for the rig's engine and directory. */
void rig_init_sandboxes(const struct sandbox_hooks *hooks);

#endif
