unit_tests += \
	%D%/test_report \
	%D%/test_status \
	%D%/test_table

%C%_test_status_SOURCES = %D%/test_status.c tests/support/fake_poolmgr.c tests/support/fake_poolmgr.h tests/support/fake_agent.c \
	tests/support/fake_agent.h
