unit_tests += %D%/test_warden
