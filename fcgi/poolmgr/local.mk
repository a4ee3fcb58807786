noinst_LIBRARIES += libpoolmgr.a
libpoolmgr_a_SOURCES = \
	%D%/messages.c %D%/messages.h \
	%D%/poolmgr_main.c \
	%D%/reconcile.c %D%/reconcile.h \
	%D%/stats.c %D%/stats.h

include %D%/pool/local.mk
include %D%/sandbox/local.mk
include %D%/package/local.mk
include %D%/catalog/local.mk
include %D%/node/local.mk

# Each room uses those after it, and none before it: a linker goes through them once.
POOLMGR_LIBS = libpoolmgr.a libpoolmgr_pool.a libpoolmgr_sandbox.a libpoolmgr_package.a libpoolmgr_catalog.a \
	libpoolmgr_node.a libengine.a
