#include "tests/unit/poolmgr/rig.h"

#include "poolmgr/node/directory.h"
#include "poolmgr/sandbox/boot.h"
#include "poolmgr/sandbox/freezer.h"
#include "poolmgr/sandbox/sandbox.h"
#include "poolmgr/sandbox/stray.h"

void rig_init_sandboxes(const struct sandbox_hooks *hooks)
{
	struct err err;

	assert_ok(directory_init(rig.loop, rig.conf, &err));
	assert_ok(sandbox_init(rig.loop, rig.conf, rig.docker, hooks, &err));
	boot_init(rig.loop, rig.conf, rig.docker);
	freezer_init(rig.conf, rig.docker);
	stray_init(rig.docker);
}
