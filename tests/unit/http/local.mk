unit_tests += \
	%D%/test_discreet \
	%D%/test_json_body \
	%D%/test_json_text \
	%D%/test_problem \
	%D%/test_request \
	%D%/test_route
