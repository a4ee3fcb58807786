noinst_LIBRARIES += libfollow.a
libfollow_a_SOURCES = \
	%D%/follow.c %D%/follow.h
EXTRA_DIST += %D%/README.md
