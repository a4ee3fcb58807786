unit_tests += \
	%D%/test_cgroup2 \
	%D%/test_warden \
	%D%/test_warden_main
