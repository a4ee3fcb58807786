/*
 * The numbers that messages have for their types, reasons and problems. During an upgrade processes of two versions may
 * exchange messages, so a number never changes: each list has the names in the order of their numbers, and a new one goes to
 * the end.
 */
#include "ipc/ipc.h"

#include "tests/unit/unit.h"

static const char *const messages[] = {
	"HELLO",       "LEASE",       "CHECK",      "GRANT",        "DENY",     "RELEASE",     "INVALIDATE", "DONE",
	"STATS",       "STATS_REPLY", "POSTMORTEM", "FINDING",      "RECALL",   "CGROUP_OPEN", "CGROUP",     "CGROUP_FAILED",
	"CGROUP_KILL", "SHIM_END",    "SHIM_ENDED", "CHECK_STORED", "WITHDRAW", "WITHDRAWN",
};

static const char *const counters[] = {
	"starts.begun",
	"starts.failed",
	"grants.warm",
	"grants.prewarmed",
	"grants.cold",
	"grants.kept",
	"denials.throttled",
	"denials.overloaded",
	"denials.runtime_unavailable",
	"denials.store_unavailable",
	"denials.draining",
	"denials.not_found",
	"denials.other",
	"evictions.idle",
	"evictions.node_full",
	"evictions.surplus_spare",
	"kills.ended",
	"kills.stale_version",
	"kills.older_image",
	"kills.single_use",
	"kills.not_linked",
	"kills.worker_gone",
	"kills.stopping",
	"kills.inherited",
	"kills.not_given_back",
	"kills.other_ca_file",
	"kills.no_network",
	"kills.timeout",
	"kills.out_of_memory",
	"kills.exited",
	"kills.exited_idle",
	"kills.exited_after_error",
	"kills.init_error",
	"kills.protocol",
	"kills.spoke_unasked",
	"kills.forged_answer",
	"kills.not_deployed",
	"kills.failed_to_load",
	"drift.unknown_container",
	"drift.unknown_directory",
	"drift.lost_container",
	"drift.stopped_container",
	"drift.unknown_shim",
	"drift.lost_directory",
	"denials.withdrawn",
	"kills.unused",
};

static const char *const problems[] = {
	"invalid_json",       "invalid_request", "forbidden",         "cross_site",          "not_found",
	"method_not_allowed", "name_taken",      "version_mismatch",  "payload_too_large",   "unsupported_media_type",
	"invalid_function",   "throttled",       "internal_error",    "outcome_unknown",     "function_error",
	"init_error",         "out_of_memory",   "sandbox_exited",    "response_too_large",  "invalid_output",
	"overloaded",         "draining",        "store_unavailable", "runtime_unavailable", "function_timeout",
};

static const char *const reasons_of_throttled[] = {
	"", "client_rate", "queue_full", "function_concurrency", "too_many_follow", "too_many_requests",
};

static const char *const starts[] = {
	"",
	"warm",
	"prewarmed",
	"cold",
};

/* With its family, because labels are unique only there. */
static const char *counter_name(unsigned counter)
{
	static char name[100];

	snprintf(name, sizeof(name), "%s.%s", counter_rows[counter].family, counter_rows[counter].label);
	return name;
}

static void numbers_in_messages_never_change(void **state)
{
	(void)state;
#define CHECK(names, count, name_of)                                                                                           \
	do {                                                                                                                   \
		assert_int_equal(ARRAY_SIZE(names), count);                                                                    \
		for (unsigned i_ = 0; i_ < count; i_++)                                                                        \
			assert_string_equal(name_of(i_), names[i_]);                                                           \
	} while (0)
	CHECK(messages, IPC_TYPE_COUNT, ipc_name);
	CHECK(counters, COUNTER_COUNT, counter_name);
	CHECK(problems, PROBLEM_COUNT, problem_name);
	CHECK(reasons_of_throttled, THROTTLED_COUNT, throttled_name);
	CHECK(starts, IPC_START_COUNT, start_kind_name);
#undef CHECK
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_in_messages_never_change)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
