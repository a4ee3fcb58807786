noinst_LIBRARIES += libpoolmgr.a
libpoolmgr_a_SOURCES = \
	%D%/autopsy.c %D%/autopsy.h \
	%D%/backlog.c %D%/backlog.h \
	%D%/bill.c %D%/bill.h \
	%D%/boot.c %D%/boot.h \
	%D%/cgroup.c %D%/cgroup.h \
	%D%/client.c %D%/client.h \
	%D%/counter.c %D%/counter.h \
	%D%/demand.c %D%/demand.h \
	%D%/directory.c %D%/directory.h \
	%D%/egress.c %D%/egress.h \
	%D%/fetch.c %D%/fetch.h \
	%D%/forecast.c %D%/forecast.h \
	%D%/headroom.c %D%/headroom.h \
	%D%/image.c %D%/image.h \
	%D%/keep.c %D%/keep.h \
	%D%/obstacle.c %D%/obstacle.h \
	%D%/package.c %D%/package.h \
	%D%/pool.c %D%/pool.h \
	%D%/poolmgr_main.c \
	%D%/reconcile.c %D%/reconcile.h \
	%D%/renewal.c %D%/renewal.h \
	%D%/resolve.c %D%/resolve.h \
	%D%/rest.c %D%/rest.h \
	%D%/room.c %D%/room.h \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/secrets.c %D%/secrets.h \
	%D%/serve.c %D%/serve.h \
	%D%/shape.c %D%/shape.h \
	%D%/shim.c %D%/shim.h \
	%D%/stats.c %D%/stats.h \
	%D%/store.c %D%/store.h \
	%D%/stray.c %D%/stray.h \
	%D%/supply.c %D%/supply.h \
	%D%/tree.c %D%/tree.h \
	%D%/uid.c %D%/uid.h \
	%D%/unpack.c %D%/unpack.h \
	%D%/version.c %D%/version.h \
	%D%/waiter.c %D%/waiter.h \
	%D%/warmup.c %D%/warmup.h \
	%D%/watch.c %D%/watch.h \
	%D%/work.c %D%/work.h \
	runtimes/engine/docker.c runtimes/engine/docker.h \
	runtimes/engine/docker_container.c \
	runtimes/engine/docker_http.c runtimes/engine/docker_http.h
libpoolmgr_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/runtimes $(UV_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(ARCHIVE_CFLAGS)
