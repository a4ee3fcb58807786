# Unit tests mirror the source tree (unit/README.md). They are found: list-sources writes their list, and this rule updates it before
# make continues if a file was added or removed.
include tests/sources.mk
$(srcdir)/tests/sources.mk: always
	@$(srcdir)/tests/list-sources
.PHONY: always

# The functions that a test or its rig replaces.
tests_unit_poolmgr_node_test_client_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=accept4
tests_unit_poolmgr_sandbox_test_stray_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_mono_us
tests_unit_run_test_invocation_log_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=slow_timer_poll
# These tests count round trips to PostgreSQL, and copies of a request's bytes.
tests_unit_control_functions_test_functions_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=PQsendQuery -Wl,--wrap=PQsendPrepare \
	-Wl,--wrap=PQsendQueryPrepared -Wl,--wrap=PQsendQueryParams
tests_unit_follow_test_follow_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=PQsendQueryPrepared
tests_unit_invoke_test_execute_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=memcpy -Wl,--wrap=memmove
package_rig_ldflags = $(AM_LDFLAGS) -Wl,--wrap=syncfs
tests_unit_poolmgr_package_test_cache_LDFLAGS = $(package_rig_ldflags)
tests_unit_poolmgr_package_test_package_LDFLAGS = $(package_rig_ldflags)
tests_unit_poolmgr_package_test_survey_LDFLAGS = $(package_rig_ldflags) -Wl,--wrap=tree_bytes
tests_unit_poolmgr_package_test_sync_LDFLAGS = $(package_rig_ldflags)
tests_unit_poolmgr_package_test_unpacking_LDFLAGS = $(package_rig_ldflags)

# A fuzz target: fuzz_targets += %D%/fuzz_<decoder>, and tests/fuzz/corpus/<decoder>/.
fuzz_targets =
include tests/fuzz/local.mk

include tests/bench/local.mk
include tests/documents/local.mk

# Every test is linked with all code, as berthd is, and with the rigs and fakes of all tests, of which the linker takes those that are
# used.
BERTH_LIBS = libopenapi.a libmaster.a libstatus.a libentry.a libfollow.a libcontrol.a libapi.a libinvoke.a libworker.a librun.a \
	libhttp.a $(POOLMGR_LIBS) liboutput.a libcollector.a libwarden.a libdb.a libdrivers.a libipc.a libconf.a libbase.a \
	$(FCGI_LIBS) $(PQ_LIBS) $(JANSSON_LIBS) $(CURL_LIBS) $(UV_LIBS) $(INIH_LIBS) $(ARCHIVE_LIBS) $(SECCOMP_LIBS) $(SODIUM_LIBS)
LDADD = $(test_rigs) $(fuzz_main) $(BERTH_LIBS) $(CMOCKA_LIBS)

if HAVE_CMOCKA
check_LIBRARIES += libtestrigs.a
libtestrigs_a_SOURCES = $(unit_shared)
EXTRA_libtestrigs_a_DEPENDENCIES = tests/sources.mk
test_rigs = libtestrigs.a
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
else
test_rigs =
check-local:
	@echo "*** The unit tests were not built: install libcmocka-dev and run configure again." >&2; exit 1
endif
check_PROGRAMS += $(fuzz_targets)
TESTS += $(fuzz_targets)
dist_check_SCRIPTS = $(unit_scripts)
TESTS += $(unit_scripts)

# Writes the table in README.md from that of the program.
.PHONY: readme
readme: tests/unit/control/functions/test_readme$(EXEEXT)
	$(AM_V_GEN)$< --write $(srcdir)/README.md

# Writes the tables in runtimes/lambda.md from the handlers that tests/agents/test_lambda.py runs.
.PHONY: lambda-tables
lambda-tables:
	$(AM_V_GEN)python3 $(srcdir)/tests/lambda/table.py --write

AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT;
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/tests/timed-driver
# A script is a test by itself: it does not run under what LOG_COMPILER names.
TEST_EXTENSIONS = .sh .py
SH_LOG_DRIVER = $(LOG_DRIVER)
PY_LOG_DRIVER = $(LOG_DRIVER)

# The same tests once more, looking for what shows only with a tool.
.PHONY: check-asan check-valgrind coverage fuzz
VALGRIND_FLAGS = -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible --child-silent-after-fork=yes
check-valgrind:
	$(MAKE) $(AM_MAKEFLAGS) check LOG_COMPILER='valgrind $(VALGRIND_FLAGS)'

# A build apart from this one in $$dir, which is made when it is not there.
configure_apart = set -e; \
	if test -f $(srcdir)/config.status; then \
		echo "*** Not in a source tree that was configured itself: use a build directory (mkdir build; cd build; ../configure)." >&2; \
		exit 1; \
	fi; \
	$(MKDIR_P) $$dir; cd $$dir; test -f Makefile || $(abs_srcdir)/configure -q $$options

check-asan:
	@dir=asan; options='--enable-sanitizers --enable-werror'; $(configure_apart); $(MAKE) $(AM_MAKEFLAGS) check

# What the unit tests and the corpora reach, also when some of them fail: coverage/html/index.html, and a summary.
coverage:
	@dir=coverage; options='--enable-coverage CFLAGS=-g'; $(configure_apart); find . -name '*.gcda' -delete; \
		rc=0; $(MAKE) $(AM_MAKEFLAGS) check || rc=$$?; $(abs_srcdir)/scripts/coverage . && exit $$rc

# make fuzz FUZZ_SECONDS=600: each target for so long. Inputs that reach new code are kept in fuzz/found, those that break
# something in fuzz/<target>-crash-*: the latter go into the corpus, together with the repair.
FUZZ_SECONDS = 60
fuzz:
	@dir=fuzz; options='CC=clang --enable-fuzzers'; $(configure_apart); \
		$(MAKE) $(AM_MAKEFLAGS) fuzz-run FUZZ_SECONDS=$(FUZZ_SECONDS)

clean-local:
	rm -rf asan coverage fuzz

EXTRA_DIST += tests/list-sources tests/timed-driver tests/unit/README.md
