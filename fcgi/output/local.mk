noinst_LIBRARIES += liboutput.a
liboutput_a_SOURCES = \
	%D%/loaded.c %D%/loaded.h \
	%D%/mask.c %D%/mask.h \
	%D%/printed.c %D%/printed.h
EXTRA_DIST += %D%/README.md
