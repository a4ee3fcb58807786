noinst_LIBRARIES += libpoolmgr_package.a
libpoolmgr_package_a_SOURCES = \
	%D%/cache.c %D%/cache.h \
	%D%/cache_files.c %D%/cache_files.h \
	%D%/fetch.c %D%/fetch.h \
	%D%/package.c %D%/package.h \
	%D%/survey.c %D%/survey.h \
	%D%/sync.c %D%/sync.h \
	%D%/unpack.c %D%/unpack.h \
	%D%/unpacking.c %D%/unpacking.h

EXTRA_DIST += %D%/README.md
