unit_tests += \
	%D%/test_cache \
	%D%/test_package \
	%D%/test_survey \
	%D%/test_sync \
	%D%/test_unpacking

package_rig = %D%/package_rig.c %D%/package_rig.h $(archives) $(rig)
package_rig_ldflags = $(AM_LDFLAGS) -Wl,--wrap=syncfs
%C%_test_cache_SOURCES = %D%/test_cache.c $(package_rig)
%C%_test_cache_LDFLAGS = $(package_rig_ldflags)
%C%_test_package_SOURCES = %D%/test_package.c $(package_rig)
%C%_test_package_LDFLAGS = $(package_rig_ldflags)
%C%_test_survey_SOURCES = %D%/test_survey.c $(package_rig)
%C%_test_survey_LDFLAGS = $(package_rig_ldflags)
%C%_test_sync_SOURCES = %D%/test_sync.c $(package_rig)
%C%_test_sync_LDFLAGS = $(package_rig_ldflags)
%C%_test_unpacking_SOURCES = %D%/test_unpacking.c $(package_rig)
%C%_test_unpacking_LDFLAGS = $(package_rig_ldflags)
