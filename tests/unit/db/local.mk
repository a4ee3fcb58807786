unit_tests += \
	%D%/test_db \
	%D%/test_db_connect \
	%D%/test_db_error \
	%D%/test_db_functions \
	%D%/test_db_invocations \
	%D%/test_db_spec \
	%D%/test_db_statement \
	%D%/test_db_wire
%C%_test_db_SOURCES = %D%/test_db.c $(db_rig) $(pg_proxy)
%C%_test_db_connect_SOURCES = %D%/test_db_connect.c $(db_rig)
%C%_test_db_error_SOURCES = %D%/test_db_error.c $(db_rig)
%C%_test_db_functions_SOURCES = %D%/test_db_functions.c $(pg_scratch) $(pg_proxy)
%C%_test_db_invocations_SOURCES = %D%/test_db_invocations.c $(pg_scratch)
%C%_test_db_spec_SOURCES = %D%/test_db_spec.c $(pg_scratch)
%C%_test_db_statement_SOURCES = %D%/test_db_statement.c $(db_rig)
%C%_test_db_wire_SOURCES = %D%/test_db_wire.c $(db_rig)

# A PostgreSQL for the length of a test.
pg_scratch = tests/support/pg_scratch.c tests/support/pg_scratch.h
# And a connection to it.
db_rig = %D%/db_rig.c %D%/db_rig.h $(pg_scratch)
# What loses its answers.
pg_proxy = tests/support/pg_proxy.c tests/support/pg_proxy.h
