unit_tests += %D%/test_certificate %D%/test_collector_main %D%/test_copy %D%/test_rollups %D%/test_sample %D%/test_spans %D%/test_spool_dir %D%/test_spool_reader %D%/test_store
%C%_test_collector_main_SOURCES = %D%/test_collector_main.c $(spool_fixture) $(pg_scratch)
%C%_test_rollups_SOURCES = %D%/test_rollups.c $(spool_fixture) $(pg_scratch)
%C%_test_sample_SOURCES = %D%/test_sample.c $(pg_scratch)
%C%_test_spool_dir_SOURCES = %D%/test_spool_dir.c $(spool_fixture)
%C%_test_spool_reader_SOURCES = %D%/test_spool_reader.c $(spool_fixture)
%C%_test_store_SOURCES = %D%/test_store.c $(spool_fixture) $(pg_scratch)

spool_fixture = %D%/spool_fixture.c %D%/spool_fixture.h
