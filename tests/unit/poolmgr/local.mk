# poolmgr's headers use the driver's.
AM_CPPFLAGS += -I$(top_srcdir)/runtimes

unit_tests += \
	%D%/test_autopsy \
	%D%/test_backlog \
	%D%/test_bill \
	%D%/test_boot \
	%D%/test_cgroup \
	%D%/test_client \
	%D%/test_counter \
	%D%/test_docker \
	%D%/test_docker_container \
	%D%/test_driver \
	%D%/test_egress \
	%D%/test_forecast \
	%D%/test_headroom \
	%D%/test_image \
	%D%/test_keep \
	%D%/test_package \
	%D%/test_pool \
	%D%/test_reconcile \
	%D%/test_resolve \
	%D%/test_rest \
	%D%/test_room \
	%D%/test_sandbox \
	%D%/test_secrets \
	%D%/test_serve \
	%D%/test_shape \
	%D%/test_stats \
	%D%/test_store \
	%D%/test_stray \
	%D%/test_supply \
	%D%/test_tree \
	%D%/test_uid \
	%D%/test_versions \
	%D%/test_watch

# A loop with a fake Docker Engine; a warden for it; all of poolmgr on top of it, and a worker.
rig = %D%/rig.c %D%/rig.h tests/support/fake_docker.c tests/support/fake_docker.h
sandbox_rig = %D%/sandbox_rig.c %D%/sandbox_rig.h $(fake_warden) $(rig)
fake_warden = %D%/fake_warden.c %D%/fake_warden.h
archives = %D%/archives.c %D%/archives.h
slow_store = %D%/slow_store.c %D%/slow_store.h $(pg_scratch)
stored = %D%/stored.c %D%/stored.h $(pool_rig) $(fake_warden) $(pg_scratch)
pool_rig = %D%/pool_rig.c %D%/pool_rig.h %D%/fake_worker.c %D%/fake_worker.h $(archives) $(rig)
%C%_test_bill_SOURCES = %D%/test_bill.c $(sandbox_rig)
%C%_test_autopsy_SOURCES = %D%/test_autopsy.c $(pool_rig)
%C%_test_cgroup_SOURCES = %D%/test_cgroup.c $(fake_warden) $(rig)
%C%_test_client_SOURCES = %D%/test_client.c $(pool_rig)
%C%_test_client_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=accept4
%C%_test_counter_SOURCES = %D%/test_counter.c $(pool_rig)
%C%_test_docker_SOURCES = %D%/test_docker.c $(rig)
%C%_test_package_SOURCES = %D%/test_package.c $(archives) $(rig)
%C%_test_package_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=syncfs
%C%_test_image_SOURCES = %D%/test_image.c $(pool_rig)
%C%_test_keep_SOURCES = %D%/test_keep.c $(stored)
%C%_test_pool_SOURCES = %D%/test_pool.c $(stored) %D%/slow_store.c %D%/slow_store.h
%C%_test_pool_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_serve_SOURCES = %D%/test_serve.c $(stored) %D%/slow_store.c %D%/slow_store.h
%C%_test_serve_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_supply_SOURCES = %D%/test_supply.c $(stored)
%C%_test_versions_SOURCES = %D%/test_versions.c $(stored) %D%/slow_store.c %D%/slow_store.h
%C%_test_versions_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_room_SOURCES = %D%/test_room.c $(stored)
%C%_test_reconcile_SOURCES = %D%/test_reconcile.c tests/support/fake_shim.c tests/support/fake_shim.h $(fake_warden) $(pool_rig)
%C%_test_sandbox_SOURCES = %D%/test_sandbox.c $(sandbox_rig)
%C%_test_boot_SOURCES = %D%/test_boot.c $(sandbox_rig)
%C%_test_rest_SOURCES = %D%/test_rest.c $(sandbox_rig)
%C%_test_stray_SOURCES = %D%/test_stray.c $(sandbox_rig)
%C%_test_stray_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_mono_us
%C%_test_stats_SOURCES = %D%/test_stats.c $(pool_rig)
%C%_test_store_SOURCES = %D%/test_store.c $(archives) $(rig) $(slow_store)
%C%_test_store_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
