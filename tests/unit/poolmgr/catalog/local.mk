unit_tests += \
	%D%/test_forecast \
	%D%/test_resolve \
	%D%/test_secrets \
	%D%/test_shape \
	%D%/test_store \
	%D%/test_versions

%C%_test_versions_SOURCES = %D%/test_versions.c $(stored) tests/unit/poolmgr/slow_store.c tests/unit/poolmgr/slow_store.h
%C%_test_versions_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_store_SOURCES = %D%/test_store.c $(archives) $(rig) $(slow_store)
%C%_test_store_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
