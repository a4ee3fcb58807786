noinst_LIBRARIES += libstatus.a
libstatus_a_SOURCES = \
	%D%/report.c %D%/report.h \
	%D%/status.c %D%/status.h \
	%D%/table.c %D%/table.h

EXTRA_DIST += %D%/README.md
