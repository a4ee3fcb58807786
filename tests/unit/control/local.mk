unit_tests += \
	%D%/functions/test_environment \
	%D%/functions/test_function_input \
	%D%/functions/test_functions \
	%D%/functions/test_package \
	%D%/invocations/test_invocation_query \
	%D%/metrics/test_exposition \
	%D%/metrics/test_period \
	%D%/metrics/test_prometheus

%C%_functions_test_functions_SOURCES = %D%/functions/test_functions.c $(fake_poolmgr) $(pg_scratch)
%C%_functions_test_functions_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_invocations_test_invocation_query_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
