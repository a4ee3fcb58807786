unit_tests += \
	%D%/functions/test_environment \
	%D%/functions/test_function_fields \
	%D%/functions/test_function_input \
	%D%/functions/test_function_input_error \
	%D%/functions/test_function_json \
	%D%/functions/test_function_limits \
	%D%/functions/test_function_rules \
	%D%/functions/test_function_schema \
	%D%/functions/test_functions \
	%D%/functions/test_pack \
	%D%/functions/test_readme \
	%D%/invocations/test_invocation_json \
	%D%/invocations/test_invocation_query \
	%D%/metrics/test_exposition \
	%D%/metrics/test_metrics \
	%D%/metrics/test_period \
	%D%/metrics/test_prometheus

# The rules of an installation.
function_rig = %D%/functions/function_rig.c %D%/functions/function_rig.h
%C%_functions_test_function_fields_SOURCES = %D%/functions/test_function_fields.c $(function_rig)
%C%_functions_test_function_input_SOURCES = %D%/functions/test_function_input.c $(function_rig)
%C%_functions_test_function_limits_SOURCES = %D%/functions/test_function_limits.c $(function_rig)
%C%_functions_test_function_rules_SOURCES = %D%/functions/test_function_rules.c $(function_rig)

# GET requests, answered from a scratch PostgreSQL.
api_rig = %D%/api_rig.c %D%/api_rig.h $(described) $(pg_scratch)
%C%_functions_test_function_json_SOURCES = %D%/functions/test_function_json.c $(api_rig)
%C%_functions_test_function_json_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_invocations_test_invocation_json_SOURCES = %D%/invocations/test_invocation_json.c $(api_rig)
%C%_invocations_test_invocation_json_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_metrics_test_metrics_SOURCES = %D%/metrics/test_metrics.c $(api_rig)
%C%_metrics_test_metrics_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_functions_test_functions_SOURCES = %D%/functions/test_functions.c $(described) $(fake_poolmgr) $(pg_scratch)
%C%_functions_test_functions_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_invocations_test_invocation_query_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)

# The tables in README.md that are made from those of the program.
.PHONY: readme
readme: %D%/functions/test_readme$(EXEEXT)
	$(AM_V_GEN)%D%/functions/test_readme$(EXEEXT) --write $(srcdir)/README.md
