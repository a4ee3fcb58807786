unit_tests += %D%/test_db %D%/test_db_functions %D%/test_db_invocations
%C%_test_db_SOURCES = %D%/test_db.c $(pg_scratch) $(pg_proxy)
%C%_test_db_functions_SOURCES = %D%/test_db_functions.c $(pg_scratch) $(pg_proxy)
%C%_test_db_invocations_SOURCES = %D%/test_db_invocations.c $(pg_scratch)

# A PostgreSQL for the length of a test.
pg_scratch = tests/support/pg_scratch.c tests/support/pg_scratch.h
# What loses its answers.
pg_proxy = tests/support/pg_proxy.c tests/support/pg_proxy.h
