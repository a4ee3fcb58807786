noinst_LIBRARIES += libentry.a
libentry_a_SOURCES = %D%/entry.c %D%/entry.h

# Of invoke workers there are many, and each has its own copy of what its libraries need to be relocated: so they have a program of
# their own, with few. It lies beside berthd, where the master looks for it.
sbin_PROGRAMS += berthd-invoke
berthd_invoke_SOURCES = %D%/invoke_program.c
berthd_invoke_LDADD = libinvoke.a libworker.a librun.a liboutput.a libhttp.a libentry.a libdrivers.a libipc.a libconf.a libbase.a \
	$(FCGI_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(SODIUM_LIBS)

EXTRA_DIST += %D%/README.md
