unit_tests += \
	%D%/test_fdpass \
	%D%/test_frame \
	%D%/test_heritage \
	%D%/test_ipc \
	%D%/test_problem_code \
	%D%/test_record \
	%D%/test_scoreboard \
	%D%/test_spec \
	%D%/test_tally
