# Whether answers are described, for tests of what answers: they read openapi.json, which make has made by then.
described = tests/support/described.c tests/support/described.h
unit_tests += \
	%D%/test_openapi
