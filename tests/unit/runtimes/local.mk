# The engine's headers are found by their room's name, as fcgi's are.
AM_CPPFLAGS += -I$(top_srcdir)/runtimes

unit_tests += \
	%D%/test_driver \
	%D%/engine/test_docker \
	%D%/engine/test_docker_container

%C%_engine_test_docker_SOURCES = %D%/engine/test_docker.c $(rig)
