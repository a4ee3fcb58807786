noinst_LIBRARIES += libinvoke.a
libinvoke_a_SOURCES = \
	%D%/execute.c %D%/execute.h \
	%D%/invoke.c %D%/invoke.h \
	%D%/spool.c %D%/spool.h \
	%D%/trace.c %D%/trace.h
EXTRA_DIST += %D%/README.md
