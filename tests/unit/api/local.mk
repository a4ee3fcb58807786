unit_tests += \
	%D%/test_db_log \
	%D%/test_log_format \
	%D%/test_log_lines \
	%D%/test_memory
