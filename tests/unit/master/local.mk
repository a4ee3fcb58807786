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
	%D%/test_role \
	%D%/test_settings \
	%D%/test_sizing \
	%D%/test_throttle
