unit_tests += \
	%D%/test_buf \
	%D%/test_clock \
	%D%/test_cmdline \
	%D%/test_err \
	%D%/test_fd \
	%D%/test_fields \
	%D%/test_histogram \
	%D%/test_json_scan \
	%D%/test_log \
	%D%/test_mem \
	%D%/test_uuid
EXTRA_DIST += tests/unit/unit.h
