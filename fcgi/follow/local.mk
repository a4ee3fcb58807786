noinst_LIBRARIES += libfollow.a
libfollow_a_SOURCES = \
	%D%/follow.c
EXTRA_DIST += %D%/README.md
