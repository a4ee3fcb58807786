unit_tests += \
	%D%/test_spool \
	%D%/test_trace
