# openapi.json describes the HTTP API: what is written by hand here, and what the tables of the code say (README.md).
noinst_LIBRARIES += libopenapi.a
libopenapi_a_SOURCES = \
	%D%/document.c %D%/document.h \
	%D%/openapi.c %D%/openapi.h \
	%D%/operations.c %D%/operations.h \
	%D%/problem_schemas.c %D%/problem_schemas.h \
	%D%/table_schemas.c %D%/table_schemas.h

noinst_PROGRAMS += openapi-document
openapi_document_SOURCES = %D%/openapi_main.c
openapi_document_LDADD = $(BERTH_LIBS)

openapi_parts = $(srcdir)/%D%/platform.json $(srcdir)/%D%/problems.json \
	$(srcdir)/%D%/functions.json $(srcdir)/%D%/execute.json $(srcdir)/%D%/invocations.json $(srcdir)/%D%/metrics.json \
	$(srcdir)/%D%/health.json
static_DATA = openapi.json
CLEANFILES += openapi.json
openapi.json: openapi-document$(EXEEXT) $(openapi_parts)
	$(AM_V_GEN)./openapi-document$(EXEEXT) $(openapi_parts) >$@.tmp && mv $@.tmp $@

EXTRA_DIST += %D%/README.md $(openapi_parts)
