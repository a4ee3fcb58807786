unit_tests += \
	%D%/test_lanes \
	%D%/test_load \
	%D%/test_turn \
	%D%/test_worker_main

%C%_test_worker_main_SOURCES = %D%/test_worker_main.c $(fake_poolmgr)
