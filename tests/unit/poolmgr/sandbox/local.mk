unit_tests += \
	%D%/test_autopsy \
	%D%/test_bill \
	%D%/test_boot \
	%D%/test_cgroup \
	%D%/test_image \
	%D%/test_rest \
	%D%/test_sandbox \
	%D%/test_stray

%C%_test_bill_SOURCES = %D%/test_bill.c $(sandbox_rig)
%C%_test_autopsy_SOURCES = %D%/test_autopsy.c $(pool_rig)
%C%_test_cgroup_SOURCES = %D%/test_cgroup.c $(fake_warden) $(rig)
%C%_test_image_SOURCES = %D%/test_image.c $(pool_rig)
%C%_test_sandbox_SOURCES = %D%/test_sandbox.c $(sandbox_rig)
%C%_test_boot_SOURCES = %D%/test_boot.c $(sandbox_rig)
%C%_test_rest_SOURCES = %D%/test_rest.c $(sandbox_rig)
%C%_test_stray_SOURCES = %D%/test_stray.c $(sandbox_rig)
%C%_test_stray_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_mono_us
