noinst_LIBRARIES += libworker.a
libworker_a_SOURCES = \
	%D%/agent_error.c %D%/agent_error.h \
	%D%/connection.c %D%/connection.h \
	%D%/control.c \
	%D%/db_problem.c %D%/db_problem.h \
	%D%/deploy.c %D%/deploy.h \
	%D%/discreet.c %D%/discreet.h \
	%D%/environment.c %D%/environment.h \
	%D%/execute.c %D%/execute.h \
	%D%/exposition.c %D%/exposition.h \
	%D%/figures.c %D%/figures.h \
	%D%/follow.c \
	%D%/function_input.c %D%/function_input.h \
	%D%/function_json.c %D%/function_json.h \
	%D%/functions.c %D%/functions.h \
	%D%/health.c %D%/health.h \
	%D%/invocation.c %D%/invocation.h \
	%D%/invocation_json.c %D%/invocation_json.h \
	%D%/invocation_query.c %D%/invocation_query.h \
	%D%/invocations.c %D%/invocations.h \
	%D%/invoke.c \
	%D%/json_body.c %D%/json_body.h \
	%D%/json_scan.c %D%/json_scan.h \
	%D%/lanes.c %D%/lanes.h \
	%D%/lease.c %D%/lease.h \
	%D%/link.c %D%/link.h \
	%D%/load.c %D%/load.h \
	%D%/log_format.c %D%/log_format.h \
	%D%/log_lines.c %D%/log_lines.h \
	%D%/mask.c %D%/mask.h \
	%D%/memory.c %D%/memory.h \
	%D%/meter.c %D%/meter.h \
	%D%/metrics.c %D%/metrics.h \
	%D%/package.c %D%/package.h \
	%D%/patience.c %D%/patience.h \
	%D%/period.c %D%/period.h \
	%D%/printed.c %D%/printed.h \
	%D%/problem.c %D%/problem.def %D%/problem.h \
	%D%/prometheus.c %D%/prometheus.def %D%/prometheus.h \
	%D%/request.c %D%/request.h \
	%D%/response.c %D%/response.h \
	%D%/route.c %D%/route.h \
	%D%/service.h \
	%D%/spool.c %D%/spool.h \
	%D%/trace.c %D%/trace.h \
	%D%/trim.h \
	%D%/turn.c %D%/turn.h \
	%D%/worker.h \
	%D%/worker_main.c
libworker_a_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
