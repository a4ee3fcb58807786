noinst_LIBRARIES += libcollector.a
libcollector_a_SOURCES = \
	%D%/array.c %D%/array.h \
	%D%/batch.c %D%/batch.h \
	%D%/certificate.c %D%/certificate.h \
	%D%/collector.h \
	%D%/collector_main.c \
	%D%/copy.c %D%/copy.h \
	%D%/exporter.c %D%/exporter.h \
	%D%/metrics.def \
	%D%/offsets.c %D%/offsets.h \
	%D%/partitions.c %D%/partitions.h \
	%D%/retention.c %D%/retention.h \
	%D%/rollups.c %D%/rollups.h \
	%D%/round.c %D%/round.h \
	%D%/rows.c %D%/rows.h \
	%D%/sample.c %D%/sample.h \
	%D%/spans.c %D%/spans.h \
	%D%/spool_dir.c %D%/spool_dir.h \
	%D%/spool_reader.c %D%/spool_reader.h

EXTRA_DIST += %D%/README.md
