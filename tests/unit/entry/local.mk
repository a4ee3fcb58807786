dist_check_SCRIPTS = %D%/test_libraries.sh
TESTS += %D%/test_libraries.sh
