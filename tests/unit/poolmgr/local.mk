unit_tests += \
	%D%/test_messages \
	%D%/test_reconcile \
	%D%/test_stats

# What makes sandboxes on top of the engine's rig; a warden for it; all of poolmgr on top of it, and a worker.
rig = %D%/rig.c %D%/rig.h $(engine_rig)
sandbox_rig = %D%/sandbox_rig.c %D%/sandbox_rig.h $(fake_warden) $(rig)
fake_warden = %D%/fake_warden.c %D%/fake_warden.h
archives = %D%/archives.c %D%/archives.h
slow_store = %D%/slow_store.c %D%/slow_store.h $(pg_scratch)
stored = %D%/stored.c %D%/stored.h $(pool_rig) $(fake_warden) $(pg_scratch)
pool_rig = %D%/pool_rig.c %D%/pool_rig.h %D%/fake_worker.c %D%/fake_worker.h $(archives) $(rig)
%C%_test_messages_SOURCES = %D%/test_messages.c $(pool_rig)
%C%_test_reconcile_SOURCES = %D%/test_reconcile.c tests/support/fake_shim.c tests/support/fake_shim.h $(fake_warden) $(pool_rig)
%C%_test_stats_SOURCES = %D%/test_stats.c $(described) $(pool_rig)

include %D%/pool/local.mk
include %D%/sandbox/local.mk
include %D%/package/local.mk
include %D%/catalog/local.mk
include %D%/node/local.mk
