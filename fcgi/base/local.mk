noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	%D%/buf.c %D%/buf.h \
	%D%/clock.c %D%/clock.h \
	%D%/cmdline.c %D%/cmdline.h \
	%D%/defs.h \
	%D%/err.c %D%/err.h \
	%D%/fd.c %D%/fd.h \
	%D%/fields.c %D%/fields.h \
	%D%/histogram.c %D%/histogram.h \
	%D%/json_scan.c %D%/json_scan.h \
	%D%/leb128.c %D%/leb128.h \
	%D%/log.c %D%/log.h \
	%D%/mem.c %D%/mem.h \
	%D%/secret.c %D%/secret.h \
	%D%/text.c %D%/text.h \
	%D%/trim.h \
	%D%/utf8.c %D%/utf8.h \
	%D%/uuid.c %D%/uuid.h

EXTRA_DIST += %D%/README.md
