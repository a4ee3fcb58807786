unit_tests += \
	%D%/test_heir \
	%D%/test_reload \
	%D%/test_standing \
	%D%/test_startup \
	%D%/test_stop \
	%D%/test_team \
	%D%/test_upgrade \
	%D%/children/test_child \
	%D%/children/test_crew \
	%D%/children/test_role \
	%D%/children/test_sizing \
	%D%/children/test_throttle \
	%D%/resources/test_bequest \
	%D%/resources/test_descriptor \
	%D%/resources/test_estate \
	%D%/resources/test_identity \
	%D%/resources/test_listen \
	%D%/resources/test_notify \
	%D%/resources/test_pidfile \
	%D%/resources/test_settings
%C%_test_reload_SOURCES = %D%/test_reload.c $(master_rig)
%C%_test_standing_SOURCES = %D%/test_standing.c $(master_rig)
%C%_test_startup_SOURCES = %D%/test_startup.c $(master_rig)
%C%_test_stop_SOURCES = %D%/test_stop.c $(master_rig)
%C%_test_team_SOURCES = %D%/test_team.c $(master_rig)
%C%_test_upgrade_SOURCES = %D%/test_upgrade.c $(master_rig)

master_rig = %D%/master_rig.c %D%/master_rig.h
