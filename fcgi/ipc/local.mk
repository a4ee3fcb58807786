noinst_LIBRARIES += libipc.a
libipc_a_SOURCES = \
	%D%/cgroup_fds.c %D%/cgroup_fds.h \
	%D%/counter.c %D%/counter.def %D%/counter.h \
	%D%/fdpass.c %D%/fdpass.h \
	%D%/frame.c %D%/frame.h \
	%D%/function.def \
	%D%/gauge.def \
	%D%/inherited.c %D%/inherited.h \
	%D%/ipc.c %D%/ipc.h \
	%D%/ipc_msg.def \
	%D%/problem.def %D%/problem_code.c %D%/problem_code.h \
	%D%/heartbeat.c %D%/heartbeat.h \
	%D%/record.c %D%/record.def %D%/record.h \
	%D%/scoreboard.c %D%/scoreboard.h \
	%D%/spec.c %D%/spec.h \
	%D%/spool_file.c %D%/spool_file.h \
	%D%/start_kind.c %D%/start_kind.h \
	%D%/tally.c %D%/tally.h

EXTRA_DIST += %D%/README.md
