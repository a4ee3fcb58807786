# Unit tests mirror the source tree. A new one is one line in the local.mk beside it: unit_tests += %D%/test_<file>
unit_tests =
include tests/unit/base/local.mk
include tests/unit/conf/local.mk
include tests/unit/ipc/local.mk
include tests/unit/db/local.mk
include tests/unit/http/local.mk
include tests/unit/run/local.mk
include tests/unit/worker/local.mk
include tests/unit/invoke/local.mk
include tests/unit/api/local.mk
include tests/unit/control/local.mk
include tests/unit/runtimes/local.mk
include tests/unit/poolmgr/local.mk
include tests/unit/collector/local.mk
include tests/unit/status/local.mk
include tests/unit/entry/local.mk
include tests/unit/master/local.mk
include tests/unit/warden/local.mk
include tests/unit/openapi/local.mk

# A fuzz target: fuzz_targets += %D%/fuzz_<decoder>, and tests/fuzz/corpus/<decoder>/.
fuzz_targets =
include tests/fuzz/local.mk

include tests/bench/local.mk

# Every test links with all the code there is, and so does berthd.
BERTH_LIBS = libopenapi.a libmaster.a libstatus.a libentry.a libfollow.a libcontrol.a libapi.a libinvoke.a libworker.a librun.a libhttp.a \
	$(POOLMGR_LIBS) libcollector.a libwarden.a libdb.a libdrivers.a libipc.a libconf.a libbase.a \
	$(FCGI_LIBS) $(PQ_LIBS) $(JANSSON_LIBS) $(CURL_LIBS) $(UV_LIBS) $(INIH_LIBS) $(ARCHIVE_LIBS) $(SECCOMP_LIBS) $(SODIUM_LIBS)
LDADD = $(fuzz_main) $(BERTH_LIBS) $(CMOCKA_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
else
check-local:
	@echo "*** The unit tests were not built: install libcmocka-dev and run configure again." >&2; exit 1
endif
check_PROGRAMS += $(fuzz_targets)
TESTS += $(fuzz_targets)

AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT;
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
# A script is a test by itself: it does not run under what LOG_COMPILER names.
TEST_EXTENSIONS = .sh
SH_LOG_DRIVER = $(LOG_DRIVER)

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
