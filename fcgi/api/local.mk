noinst_LIBRARIES += libapi.a
libapi_a_SOURCES = \
	%D%/db_log.c %D%/db_log.h \
	%D%/db_problem.c %D%/db_problem.h \
	%D%/log_format.c %D%/log_format.h \
	%D%/log_lines.c %D%/log_lines.h \
	%D%/log_row.c %D%/log_row.h \
	%D%/memory.c %D%/memory.h
EXTRA_DIST += %D%/README.md
