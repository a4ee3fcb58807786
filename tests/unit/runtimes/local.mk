unit_tests += \
	%D%/test_driver \
	%D%/engine/test_docker \
	%D%/engine/test_docker_container

# A loop with a fake Docker Engine.
engine_rig = %D%/engine_rig.c %D%/engine_rig.h tests/support/fake_docker.c tests/support/fake_docker.h
%C%_engine_test_docker_SOURCES = %D%/engine/test_docker.c $(engine_rig)
