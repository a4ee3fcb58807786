unit_tests += \
	%D%/test_cgroup2 \
	%D%/test_confine \
	%D%/test_containerd \
	%D%/test_warden \
	%D%/test_warden_main
%C%_test_containerd_SOURCES = %D%/test_containerd.c tests/support/fake_shim.c tests/support/fake_shim.h
%C%_test_warden_main_SOURCES = %D%/test_warden_main.c tests/support/fake_shim.c tests/support/fake_shim.h
