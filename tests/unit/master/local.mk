unit_tests += \
	%D%/test_bequest \
	%D%/test_child \
	%D%/test_crew \
	%D%/test_descriptor \
	%D%/test_estate \
	%D%/test_heir \
	%D%/test_identity \
	%D%/test_listen \
	%D%/test_notify \
	%D%/test_pidfile \
	%D%/test_reload \
	%D%/test_role \
	%D%/test_settings \
	%D%/test_sizing \
	%D%/test_standing \
	%D%/test_startup \
	%D%/test_stop \
	%D%/test_team \
	%D%/test_throttle \
	%D%/test_upgrade
%C%_test_reload_SOURCES = %D%/test_reload.c $(master_rig)
%C%_test_standing_SOURCES = %D%/test_standing.c $(master_rig)
%C%_test_startup_SOURCES = %D%/test_startup.c $(master_rig)
%C%_test_stop_SOURCES = %D%/test_stop.c $(master_rig)
%C%_test_team_SOURCES = %D%/test_team.c $(master_rig)
%C%_test_upgrade_SOURCES = %D%/test_upgrade.c $(master_rig)

master_rig = %D%/master_rig.c %D%/master_rig.h
