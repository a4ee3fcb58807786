noinst_LIBRARIES += libpoolmgr_pool.a
libpoolmgr_pool_a_SOURCES = \
	%D%/demand.c %D%/demand.h \
	%D%/min_warm.c %D%/min_warm.h \
	%D%/obstacle.c %D%/obstacle.h \
	%D%/pool.c %D%/pool.h \
	%D%/room.c %D%/room.h \
	%D%/serve.c %D%/serve.h \
	%D%/supply.c %D%/supply.h \
	%D%/waiter.c %D%/waiter.h

EXTRA_DIST += %D%/README.md
