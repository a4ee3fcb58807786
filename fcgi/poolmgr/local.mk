noinst_LIBRARIES += libpoolmgr.a
libpoolmgr_a_SOURCES = \
	%D%/messages.c %D%/messages.h \
	%D%/poolmgr_main.c \
	%D%/reconcile.c %D%/reconcile.h \
	%D%/stats.c %D%/stats.h \
	runtimes/engine/docker.c runtimes/engine/docker.h \
	runtimes/engine/docker_container.c \
	runtimes/engine/docker_http.c runtimes/engine/docker_http.h
libpoolmgr_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/runtimes $(UV_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(ARCHIVE_CFLAGS)

include %D%/pool/local.mk
include %D%/sandbox/local.mk
include %D%/catalog/local.mk
include %D%/node/local.mk
