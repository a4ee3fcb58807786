unit_tests += \
	%D%/test_array \
	%D%/test_batch \
	%D%/test_certificate \
	%D%/test_collector_main \
	%D%/test_copy \
	%D%/test_offsets \
	%D%/test_partitions \
	%D%/test_retention \
	%D%/test_rollups \
	%D%/test_round \
	%D%/test_rows \
	%D%/test_sample \
	%D%/test_spans \
	%D%/test_spool_dir \
	%D%/test_spool_reader
%C%_test_batch_SOURCES = %D%/test_batch.c $(storing_rig)
%C%_test_collector_main_SOURCES = %D%/test_collector_main.c $(spool_fixture) $(pg_scratch)
%C%_test_offsets_SOURCES = %D%/test_offsets.c $(storing_rig)
%C%_test_partitions_SOURCES = %D%/test_partitions.c $(storing_rig)
%C%_test_retention_SOURCES = %D%/test_retention.c $(storing_rig)
%C%_test_rollups_SOURCES = %D%/test_rollups.c $(spool_fixture) $(pg_scratch)
%C%_test_round_SOURCES = %D%/test_round.c $(storing_rig)
%C%_test_rows_SOURCES = %D%/test_rows.c $(storing_rig)
%C%_test_sample_SOURCES = %D%/test_sample.c $(pg_scratch)
%C%_test_spool_dir_SOURCES = %D%/test_spool_dir.c $(spool_fixture)
%C%_test_spool_reader_SOURCES = %D%/test_spool_reader.c $(spool_fixture)

spool_fixture = %D%/spool_fixture.c %D%/spool_fixture.h
storing_rig = %D%/storing_rig.c %D%/storing_rig.h $(spool_fixture) $(pg_scratch)
