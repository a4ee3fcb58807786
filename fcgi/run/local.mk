noinst_LIBRARIES += librun.a
librun_a_SOURCES = \
	%D%/agent_error.c %D%/agent_error.h \
	%D%/invocation.c %D%/invocation.h \
	%D%/last_words.c %D%/last_words.h \
	%D%/lease.c %D%/lease.h \
	%D%/link.c %D%/link.h \
	%D%/meter.c %D%/meter.h \
	%D%/slow_timer.c %D%/slow_timer.h
EXTRA_DIST += %D%/README.md
