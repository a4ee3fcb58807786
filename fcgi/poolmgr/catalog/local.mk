noinst_LIBRARIES += libpoolmgr_catalog.a
libpoolmgr_catalog_a_SOURCES = \
	%D%/cache.c %D%/cache.h \
	%D%/cache_files.c %D%/cache_files.h \
	%D%/fetch.c %D%/fetch.h \
	%D%/forecast.c %D%/forecast.h \
	%D%/package.c %D%/package.h \
	%D%/resolve.c %D%/resolve.h \
	%D%/secrets.c %D%/secrets.h \
	%D%/shape.c %D%/shape.h \
	%D%/store.c %D%/store.h \
	%D%/survey.c %D%/survey.h \
	%D%/sync.c %D%/sync.h \
	%D%/unpack.c %D%/unpack.h \
	%D%/unpacking.c %D%/unpacking.h \
	%D%/version.c %D%/version.h
