/* A function as the API shows it, in a list and by itself. */
#include "tests/unit/control/api_rig.h"
#include "tests/unit/unit.h"

#define FULL  "0198c0de-0000-7000-8000-000000000001"
#define PLAIN "0198c0de-0000-7000-8000-000000000002"

/* One that has of everything, and one that has as little as may be. */
static int set_up(void **state)
{
	int rc = api_rig_start(state);

	pg_scratch_exec(
		pg,
		"begin;"
		"insert into packages (archive, size, sha256) values ('code', 4, encode(sha256('code'), 'hex'));"
		"insert into functions (function_id, name, version, created_at, updated_at) values"
		" ('" FULL "', 'gr\xc3\xbc\xc3\x9f\"e\\', 2, '2026-01-31 12:00:00.123999+00', '2026-02-01 00:59:59.9996+01'),"
		" ('" PLAIN "', 'plain', 1, '2026-01-31 12:00:00+00', '2026-01-31 12:00:00+00');"
		"insert into function_versions (function_id, version, language, runtime, handler, environment, timeout_ms,"
		" init_timeout_ms, memory_limit_mb, cpu_millis, tmp_mb, tmp_inodes, pids, nofile, response_bytes, log_bytes,"
		" network, isolation, max_concurrency, min_warm, package_sha256) select i::uuid, v, 'python', r, "
		"'main.handler',"
		" e::jsonb, 3000, 10001, 128, c, 65, 16385, 66, 1025, 6291457, 262145, n, s, 50, w, sha256 from packages, "
		"(values"
		" ('" FULL "', 1, 'docker', '{}', 1000, 'none', 'per_function', 0),"
		" ('" FULL
		"', 2, 'gvisor', '{\"PLACE\": \"K\xc3\xb6ln \\\"\\n\", \"API_KEY\": \"swordfish\", \"EMPTY\": \"\"}',"
		" 1250, 'egress', 'per_invocation', 3),"
		" ('" PLAIN "', 1, 'docker', '{}', 2000, 'none', 'per_function', 0)) v (i, v, r, e, c, n, s, w);"
		"commit");
	return rc;
}

#define SETTINGS                                                                                                               \
	"\"description\":\"\",\"language\":\"python\",\"language_version\":\"3.11\",\"handler\":\"main.handler\",\"timeout_"   \
	"ms\":3000,\"init_timeout_ms\":"                                                                                       \
	"10001,"                                                                                                               \
	"\"memory_limit_mb\":128,\"tmp_mb\":65,\"tmp_inodes\":16385,\"pids\":66,\"nofile\":1025,\"response_bytes\":6291457,"   \
	"\"log_bytes\":262145,\"max_concurrency\":50,\"status\":\"active\",\"package_sha256\":"                                \
	"\"5694d08a2e53ffcae0c3103e5ad6f6076abd960eb1f8a56577040bc1028f702b\""

#define LIMITS                                                                                                                 \
	"\"timeout_ms\":3000,\"init_timeout_ms\":10001,\"memory_limit_mb\":128,\"pids\":66,\"nofile\":1025,\"tmp_mb\":65,"     \
	"\"tmp_inodes\":16385,\"request_bytes\":6291456,\"response_bytes\":6291457,\"log_bytes\":262145,"                      \
	"\"max_concurrency\":50"

#define SHOWN_FULL                                                                                                             \
	"{\"id\":\"" FULL "\",\"name\":\"gr\xc3\xbc\xc3\x9f\\\"e\\\\\",\"version\":2,\"runtime\":\"gvisor\",\"cpus\":1.25,"    \
	"\"network\":\"egress\",\"isolation\":\"per_invocation\",\"min_warm\":3,"                                              \
	"\"created_at\":\"2026-01-31T12:00:00.123Z\",\"updated_at\":\"2026-01-31T23:59:59.999Z\"," SETTINGS

#define SHOWN_PLAIN                                                                                                            \
	"{\"id\":\"" PLAIN "\",\"name\":\"plain\",\"version\":1,\"runtime\":\"docker\",\"cpus\":2.0,"                          \
	"\"network\":\"none\",\"isolation\":\"per_function\",\"min_warm\":0,"                                                  \
	"\"created_at\":\"2026-01-31T12:00:00.000Z\",\"updated_at\":\"2026-01-31T12:00:00.000Z\"," SETTINGS

static void one_is_shown_with_its_environment_and_every_limit(void **state)
{
	(void)state;
	api_rig_answers("/functions/" FULL,
			SHOWN_FULL ",\"environment\":{\"PLACE\":\"K\xc3\xb6ln \\\"\\n\",\"API_KEY\":\"***\",\"EMPTY\":\"\"},"
				   "\"limits\":{\"cpus\":1.25," LIMITS "}}");
	api_rig_answers("/functions/plain", SHOWN_PLAIN ",\"environment\":{},\"limits\":{\"cpus\":2.0," LIMITS "}}");
}

static void a_list_shows_neither_environments_nor_limits(void **state)
{
	(void)state;
	api_rig_answers("/functions", "{\"items\":[" SHOWN_FULL "}," SHOWN_PLAIN "}],\"next\":null}");
	api_rig_answers("/functions?limit=1", "{\"items\":[" SHOWN_FULL "}],\"next\":\"" FULL "\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_shown_with_its_environment_and_every_limit),
		cmocka_unit_test(a_list_shows_neither_environments_nor_limits),
	};

	return cmocka_run_group_tests(tests, set_up, api_rig_stop);
}
