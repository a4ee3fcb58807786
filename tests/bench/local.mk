# The responder is built with the tests, so that a change cannot break it unnoticed; only scripts/bench runs it.
check_PROGRAMS += %D%/responder
%C%_responder_LDADD = libipc.a libbase.a $(FCGI_LIBS) $(SODIUM_LIBS)
EXTRA_DIST += %D%/bench.py %D%/burst.py %D%/calls.py %D%/engine.py %D%/idle.py %D%/load.py %D%/plot.py %D%/recording.py %D%/report.py \
	%D%/stack.py %D%/strain.py %D%/throughput.py %D%/usage.py
