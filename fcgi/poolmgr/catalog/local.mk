noinst_LIBRARIES += libpoolmgr_catalog.a
libpoolmgr_catalog_a_SOURCES = \
	%D%/forecast.c %D%/forecast.h \
	%D%/init_payload.c %D%/init_payload.h \
	%D%/resolve.c %D%/resolve.h \
	%D%/secrets.c %D%/secrets.h \
	%D%/shape.c %D%/shape.h \
	%D%/store.c %D%/store.h \
	%D%/version.c %D%/version.h

EXTRA_DIST += %D%/README.md
