noinst_LIBRARIES += libhttp.a
libhttp_a_SOURCES = \
	%D%/connection.c %D%/connection.h \
	%D%/discreet.c %D%/discreet.h \
	%D%/json_body.c %D%/json_body.h \
	%D%/json_text.c %D%/json_text.h \
	%D%/problem.c %D%/problem.h \
	%D%/request.c %D%/request.h \
	%D%/response.c %D%/response.h \
	%D%/route.c %D%/route.h
EXTRA_DIST += %D%/README.md
