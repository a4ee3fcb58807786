unit_tests += \
	%D%/test_follow

# Statements are counted where they are sent.
%C%_test_follow_SOURCES = %D%/test_follow.c $(pg_scratch)
%C%_test_follow_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_follow_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=PQsendQueryPrepared
