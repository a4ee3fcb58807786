noinst_LIBRARIES += libworker.a
libworker_a_SOURCES = \
	%D%/lanes.c %D%/lanes.h \
	%D%/load.c %D%/load.h \
	%D%/service.h \
	%D%/turn.c %D%/turn.h \
	%D%/worker.h \
	%D%/worker_main.c
EXTRA_DIST += %D%/README.md
