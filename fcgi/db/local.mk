noinst_LIBRARIES += libdb.a
libdb_a_SOURCES = \
	%D%/db.c %D%/db.h \
	%D%/db_connect.c %D%/db_connect.h \
	%D%/db_error.c %D%/db_error.h \
	%D%/db_functions.c %D%/db_functions.h \
	%D%/db_invocations.c %D%/db_invocations.h \
	%D%/db_metrics.c %D%/db_metrics.h \
	%D%/db_spec.c %D%/db_spec.h \
	%D%/db_statement.c %D%/db_statement.h \
	%D%/db_wire.c %D%/db_wire.h \
	%D%/invocation.def \
	%D%/rollup.c %D%/rollup.def %D%/rollup.h \
	%D%/sample.def

EXTRA_DIST += %D%/README.md
