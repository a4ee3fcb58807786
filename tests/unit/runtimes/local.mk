unit_tests += \
	%D%/test_driver \
	%D%/engine/test_docker \
	%D%/engine/test_docker_container

%C%_engine_test_docker_SOURCES = %D%/engine/test_docker.c $(rig)
