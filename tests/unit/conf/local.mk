unit_tests += \
	%D%/test_conf \
	%D%/test_language
