noinst_LIBRARIES += libfollow.a
libfollow_a_SOURCES = \
	%D%/asking.c %D%/asking.h \
	%D%/follow.c \
	%D%/follower.c %D%/follower.h
EXTRA_DIST += %D%/README.md
