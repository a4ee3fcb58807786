unit_tests += \
	%D%/test_backlog \
	%D%/test_client \
	%D%/test_counters \
	%D%/test_egress \
	%D%/test_headroom \
	%D%/test_tree \
	%D%/test_uid \
	%D%/test_watch

%C%_test_client_SOURCES = %D%/test_client.c $(pool_rig)
%C%_test_client_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=accept4
%C%_test_counters_SOURCES = %D%/test_counters.c $(pool_rig)
