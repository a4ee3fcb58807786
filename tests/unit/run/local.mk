unit_tests += \
	%D%/test_agent_error \
	%D%/test_invocation \
	%D%/test_lease \
	%D%/test_link \
	%D%/test_mask \
	%D%/test_meter \
	%D%/test_patience \
	%D%/test_printed

# The other ends of a worker's sockets.
fake_agent = tests/support/fake_agent.c tests/support/fake_agent.h
fake_poolmgr = tests/support/fake_poolmgr.c tests/support/fake_poolmgr.h $(fake_agent)
%C%_test_invocation_SOURCES = %D%/test_invocation.c $(described) $(fake_poolmgr)
# What happens between poll() and recv() cannot be provoked from outside.
%C%_test_invocation_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=patience_poll
%C%_test_lease_SOURCES = %D%/test_lease.c $(fake_poolmgr)
%C%_test_link_SOURCES = %D%/test_link.c $(fake_poolmgr)
