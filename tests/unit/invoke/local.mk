unit_tests += \
	%D%/test_execute \
	%D%/test_spool \
	%D%/test_trace

# What is copied is counted.
%C%_test_execute_SOURCES = %D%/test_execute.c $(fake_poolmgr)
%C%_test_execute_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=memcpy -Wl,--wrap=memmove
