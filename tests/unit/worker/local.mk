unit_tests += \
	%D%/test_agent_error \
	%D%/test_discreet \
	%D%/test_environment \
	%D%/test_exposition \
	%D%/test_function_input \
	%D%/test_functions \
	%D%/test_invocation \
	%D%/test_invocation_query \
	%D%/test_json_body \
	%D%/test_json_scan \
	%D%/test_lanes \
	%D%/test_lease \
	%D%/test_link \
	%D%/test_load \
	%D%/test_log_format \
	%D%/test_log_lines \
	%D%/test_mask \
	%D%/test_memory \
	%D%/test_meter \
	%D%/test_package \
	%D%/test_patience \
	%D%/test_period \
	%D%/test_printed \
	%D%/test_problem \
	%D%/test_prometheus \
	%D%/test_request \
	%D%/test_route \
	%D%/test_spool \
	%D%/test_trace \
	%D%/test_turn \
	%D%/test_worker_main

# The other ends of a worker's sockets.
fake_agent = tests/support/fake_agent.c tests/support/fake_agent.h
fake_poolmgr = tests/support/fake_poolmgr.c tests/support/fake_poolmgr.h $(fake_agent)
%C%_test_functions_SOURCES = %D%/test_functions.c $(fake_poolmgr) $(pg_scratch)
%C%_test_functions_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_invocation_query_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_invocation_SOURCES = %D%/test_invocation.c $(fake_poolmgr)
# What happens between poll() and recv() cannot be provoked from outside.
%C%_test_invocation_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=patience_poll
%C%_test_lease_SOURCES = %D%/test_lease.c $(fake_poolmgr)
%C%_test_link_SOURCES = %D%/test_link.c $(fake_poolmgr)
%C%_test_worker_main_SOURCES = %D%/test_worker_main.c $(fake_poolmgr)
