noinst_LIBRARIES += libpoolmgr_node.a
libpoolmgr_node_a_SOURCES = \
	%D%/backlog.c %D%/backlog.h \
	%D%/client.c %D%/client.h \
	%D%/counters.c %D%/counters.h \
	%D%/directory.c %D%/directory.h \
	%D%/egress.c %D%/egress.h \
	%D%/headroom.c %D%/headroom.h \
	%D%/tree.c %D%/tree.h \
	%D%/uid.c %D%/uid.h \
	%D%/watch.c %D%/watch.h \
	%D%/work.c %D%/work.h

EXTRA_DIST += %D%/README.md
