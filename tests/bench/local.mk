EXTRA_PROGRAMS += %D%/responder
%C%_responder_LDADD = libcommon.a $(FCGI_LIBS) $(SODIUM_LIBS)
EXTRA_DIST += %D%/bench.py
