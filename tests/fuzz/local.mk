fuzz_targets += \
	%D%/fuzz_frame \
	%D%/fuzz_ipc \
	%D%/fuzz_json \
	%D%/fuzz_log \
	%D%/fuzz_printed \
	%D%/fuzz_record \
	%D%/fuzz_request

# make check replays the corpus; a build with --enable-fuzzers has libFuzzer's main instead.
if FUZZERS
fuzz_main =
AM_LDFLAGS += -fsanitize=fuzzer
else
fuzz_main = libfuzzreplay.a
check_LIBRARIES += libfuzzreplay.a
libfuzzreplay_a_SOURCES = %D%/replay.c
endif

EXTRA_DIST += %D%/corpus %D%/fuzz.h %D%/make-corpus

.PHONY: fuzz-run
fuzz-run: $(fuzz_targets)
	@set -e; for target in $(fuzz_targets); do \
		name=$${target##*/fuzz_}; \
		echo "== $$name"; \
		$(MKDIR_P) found/$$name; \
		./$$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 -artifact_prefix=$$name- \
			found/$$name $(srcdir)/tests/fuzz/corpus/$$name; \
	done
