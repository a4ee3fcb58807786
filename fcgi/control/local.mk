# The rooms of one process are one library: they are never linked apart.
noinst_LIBRARIES += libcontrol.a
libcontrol_a_SOURCES = \
	%D%/control.c %D%/control.h \
	%D%/functions/deploy.c %D%/functions/deploy.h \
	%D%/functions/environment.c %D%/functions/environment.h \
	%D%/functions/function_fields.c %D%/functions/function_fields.h \
	%D%/functions/function_input.c %D%/functions/function_input.h \
	%D%/functions/function_input_error.c %D%/functions/function_input_error.h \
	%D%/functions/function_json.c %D%/functions/function_json.h \
	%D%/functions/function_limits.c %D%/functions/function_limits.h \
	%D%/functions/function_rules.c %D%/functions/function_rules.h \
	%D%/functions/function_schema.c %D%/functions/function_schema.h \
	%D%/functions/functions.c %D%/functions/functions.h \
	%D%/functions/pack.c %D%/functions/pack.h \
	%D%/health/dependency.c %D%/health/dependency.h \
	%D%/health/health.c %D%/health/health.h \
	%D%/health/limits.c %D%/health/limits.h \
	%D%/invocations/invocation_json.c %D%/invocations/invocation_json.h \
	%D%/invocations/invocation_query.c %D%/invocations/invocation_query.h \
	%D%/invocations/invocations.c %D%/invocations/invocations.h \
	%D%/metrics/exposition.c %D%/metrics/exposition.h \
	%D%/metrics/figures.c %D%/metrics/figures.h \
	%D%/metrics/metrics.c %D%/metrics/metrics.h \
	%D%/metrics/period.c %D%/metrics/period.h \
	%D%/metrics/prometheus.c %D%/metrics/prometheus.def %D%/metrics/prometheus.h
EXTRA_DIST += %D%/README.md %D%/functions/README.md %D%/health/README.md %D%/invocations/README.md %D%/metrics/README.md
