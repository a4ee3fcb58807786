noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	%D%/conf.c %D%/conf.def %D%/conf.h \
	%D%/language.c %D%/language.h

EXTRA_DIST += %D%/README.md
