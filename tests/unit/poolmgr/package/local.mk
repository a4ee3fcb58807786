unit_tests += \
	%D%/test_package

%C%_test_package_SOURCES = %D%/test_package.c $(archives) $(rig)
%C%_test_package_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=syncfs
