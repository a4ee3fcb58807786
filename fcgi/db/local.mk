noinst_LIBRARIES += libdb.a
libdb_a_SOURCES = \
	%D%/db.c %D%/db.h \
	%D%/db_functions.c %D%/db_functions.h \
	%D%/db_invocations.c %D%/db_invocations.h \
	%D%/db_metrics.c %D%/db_metrics.h \
	%D%/rollup.c %D%/rollup.def %D%/rollup.h \
	%D%/sample.def
