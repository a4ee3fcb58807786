/* When sandboxes are started, and what is said when they cannot be. */
#include "tests/unit/poolmgr/stored.h"

#include "poolmgr/pool/pool.h"
#include "poolmgr/sandbox/image.h"

/* ---- How many sandboxes ---- */

static void spares_are_kept_ready_and_made_good(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("spares");

	(void)state;
	rig.conf->pool_min_spares = 2;
	wait_for_spares(2);
	assert_int_equal(worker_take(&w, f.name).kind, IPC_START_PREWARMED);
	wait_for_spares(2);
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	fake_docker_die(rig.engine, default_shape()->spares->id, true);
	WAIT_FOR(default_shape()->spare_count == 0);
	wait_for_spares(1);
}

static void a_shape_of_its_own_has_spares_as_long_as_it_is_used(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("shape");

	(void)state;
	f.memory_limit_mb = 777;
	rig.conf->pool_min_spares = 1;
	struct grant g = check_function(&w, &f);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(fake_docker_find(rig.engine, g.sandbox_id)->body, "HostConfig"), "Memory")),
			 777 << 20);
	WAIT_FOR(shape_of(777)->spare_count == 1);
	worker_release(&w, g.lease_id, true);
	WAIT_FOR(is_gone(&g));
	rig_barrier();
	assert_int_equal(shape_of(777)->spare_count, 1);
	rig.conf->pool_idle_timeout_ms = 1;
	WAIT_FOR(shape_of(777) == NULL);
	wait_for_spares(1); /* the default shape has them all the same */
}

static void an_idle_sandbox_goes_after_its_time_and_not_before(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("idle");

	(void)state;
	struct grant g = warm_up(&w, f.name);
	int64_t since_us = sandbox_find(g.sandbox_id)->since_us;
	pool_tick(since_us + rig.conf->pool_idle_timeout_ms * 1000 - 1);
	assert_int_equal(state_of(&g), SANDBOX_IDLE);
	pool_tick(since_us + rig.conf->pool_idle_timeout_ms * 1000);
	assert_int_equal(state_of(&g), SANDBOX_DYING);
}

static void a_full_node_makes_room_by_what_has_been_idle_longest(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function fa = deployed("room a");
	AUTO(function_free) struct function fb = deployed("room b");
	AUTO(function_free) struct function fc = deployed("room c");

	(void)state;
	rig.conf->pool_max_sandboxes = 2;
	struct grant a = warm_up(&w, fa.name), b = warm_up(&w, fb.name);
	assert_string_equal(warm_up(&w, fa.name).sandbox_id, a.sandbox_id); /* so b is the longest idle one */
	struct grant c = worker_take(&w, fc.name);
	assert_int_equal(state_of(&c), SANDBOX_LEASED);
	assert_int_equal(state_of(&a), SANDBOX_IDLE);
	assert_true(is_gone(&b));
	assert_int_equal(sandbox_total(), 2);
}

static void a_full_node_makes_room_by_spares_nobody_waits_for(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("room by spares");

	(void)state;
	rig.conf->pool_min_spares = 1;
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 2); /* one per language */
	rig.conf->pool_max_sandboxes = 2;
	f.memory_limit_mb = 333;
	struct grant g = check_function(&w, &f);
	assert_int_equal(state_of(&g), SANDBOX_LEASED);
	assert_int_equal(sandbox_total(), 2);
}

static void a_node_full_of_work_lets_wait_and_serves_what_comes_free(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function fa = deployed("work a");
	AUTO(function_free) struct function fb = deployed("work b");

	(void)state;
	rig.conf->pool_max_sandboxes = 1;
	struct grant a = worker_take(&w, fa.name);
	uint64_t seq = worker_lease(&w, fb.name, 0);
	worker_assert_silent(&w);
	rig_barrier();
	assert_int_equal(sandbox_total(), 1);
	worker_release(&w, a.lease_id, false);
	AUTO(worker_close_fds) struct grant b = worker_granted(&w, seq);
	assert_true(is_gone(&a));
}

static void no_more_sandboxes_start_at_once_than_set(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("starts");
	uint64_t seq[6];

	(void)state;
	rig.conf->pool_max_starts = 2;
	rig.engine->manner[FAKE_CREATE].hold = true;
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		seq[i] = worker_lease(&w, f.name, 0);
	for (int left = ARRAY_SIZE(seq); left > 0; left -= 2) {
		WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 2);
		assert_int_equal(sandbox_counts[SANDBOX_CREATING] + sandbox_counts[SANDBOX_BOOTING], 2);
		fake_docker_let_go(rig.engine, FAKE_CREATE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++) {
		struct grant g = worker_granted(&w, seq[i]);
		worker_close_fds(&g);
	}
	assert_int_equal(rig.engine->calls[FAKE_CREATE], 6); /* as many as waited, and no more */
}

/* ---- Docker ---- */

static void without_an_engine_warm_functions_go_on_and_others_are_told_at_once(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function warm = deployed("warm without engine");
	AUTO(function_free) struct function cold = deployed("cold without engine");
	AUTO(function_free) struct function waiting = deployed("waits when the engine goes");

	(void)state;
	struct grant g = warm_up(&w, warm.name);
	rig.engine->boot = FAKE_BOOT_SILENT;
	uint64_t seq = worker_lease(&w, waiting.name, 0);
	WAIT_FOR(sandbox_counts[SANDBOX_BOOTING] == 1);
	fake_docker_stop(rig.engine);
	struct denial d = worker_denied(&w, seq);
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "Docker Engine does not answer"));
	assert_true(d.retry_after_ms > 0);

	d = worker_denied(&w, worker_lease(&w, cold.name, 0));
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, rig.conf->docker_socket));
	struct grant again = worker_take(&w, warm.name);
	assert_string_equal(again.sandbox_id, g.sandbox_id);
	worker_release(&w, again.lease_id, true);

	rig.engine->boot = FAKE_BOOT_GOOD;
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
	worker_take(&w, cold.name);
	WAIT_FOR(is_gone(&g));
}

static void starts_that_fail_are_told_in_dockers_words_and_tried_again_after_a_pause(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("cannot start");

	(void)state;
	rig.engine->manner[FAKE_CREATE] = (struct fake_manner){.status = 400, .body = "{\"message\":\"no such thing\"}"};
	struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "no such thing"));
	assert_int_equal(d.version, 1);
	int calls = rig.engine->calls[FAKE_CREATE];
	assert_true(calls >= 2); /* one may be bad luck */
	struct shape *shape = default_shape();
	shape->retry_us = clock_mono_us() + RIG_TIMEOUT_US;
	d = worker_denied(&w, worker_lease(&w, f.name, 0)); /* during the pause: at once */
	assert_non_null(strstr(d.detail, "no such thing"));
	assert_true(d.retry_after_ms >= 1000);
	assert_int_equal(rig.engine->calls[FAKE_CREATE], calls);

	rig.engine->manner[FAKE_CREATE] = (struct fake_manner){0};
	shape->retry_us = 0;
	warm_up(&w, f.name);
	assert_int_equal(shape->failures, 0);
	assert_string_equal(shape->problem, "");
}

static void one_start_that_fails_costs_no_request(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("bad luck");

	(void)state;
	rig.engine->boot = FAKE_BOOT_HANGS_UP;
	uint64_t seq = worker_lease(&w, f.name, 0);
	WAIT_FOR(default_shape()->failures == 1);
	rig.engine->boot = FAKE_BOOT_GOOD;
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, seq);
	assert_int_equal(g.kind, IPC_START_COLD);
}

static void spares_that_end_right_after_hello_are_started_with_growing_pauses(void **state)
{
	struct shape *shape = default_shape();

	(void)state;
	rig.engine->boot = FAKE_BOOT_SHORT_LIVED;
	rig.conf->pool_min_spares = 1;
	for (int failures = 1; failures <= 4; failures++) {
		WAIT_FOR(shape->failures == failures);
		assert_int_equal(shape->retry_us - shape->failed_us, 100000 << failures);
		shape->retry_us = 0;
	}
	rig.engine->boot = FAKE_BOOT_GOOD;
	WAIT_FOR(shape->spares != NULL && shape->spares->created_us >= shape->failed_us);
	rig.tick = NULL;
	int failures = shape->failures;
	assert_true(failures >= 4);
	pool_tick(shape->spares->booted_us + 999999);
	assert_int_equal(shape->failures, failures); /* it may still end */
	pool_tick(shape->spares->booted_us + 1000000);
	assert_int_equal(shape->failures, 0);
	assert_string_equal(shape->problem, "");
}

static void a_sandbox_that_has_served_ends_the_pauses_and_an_older_one_does_not(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("has served");
	struct shape *shape = default_shape();

	(void)state;
	struct grant older = worker_take(&w, f.name);
	shape_start_failed(shape, "test", clock_mono_us());
	shape->retry_us = 0;
	AUTO(worker_close_fds) struct grant newer = worker_granted(&w, worker_lease(&w, f.name, 0));
	worker_release(&w, older.lease_id, false);
	WAIT_FOR(state_of(&older) == SANDBOX_IDLE);
	assert_int_equal(shape->failures, 1);
	worker_release(&w, newer.lease_id, false);
	WAIT_FOR(state_of(&newer) == SANDBOX_IDLE);
	assert_int_equal(shape->failures, 0);
}

/* ---- What the engine offers ---- */

/* The engine is another one, as far as that goes. NULL: as it was. */
static void restart_engine(const char *runtimes)
{
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	fake_docker_reset(rig.engine);
	if (runtimes != NULL)
		rig.engine->runtimes = runtimes;
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
	rig_barrier();
}

static const char *host_config_of(const struct grant *g, const char *name)
{
	json_t *body = fake_docker_find(rig.engine, g->sandbox_id)->body;

	return json_string_value(json_object_get(json_object_get(body, "HostConfig"), name));
}

static void a_version_runs_in_the_runtime_it_names(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("in gvisor");
	AUTO(function_free) struct function g = deployed("in docker");

	(void)state;
	f.runtime = "gvisor";
	deploy(&f);
	struct grant a = worker_take(&w, f.name), b = worker_take(&w, g.name);
	assert_string_equal(a.runtime, "gvisor");
	assert_string_equal(host_config_of(&a, "Runtime"), "berth-runsc");
	assert_string_equal(b.runtime, "docker");
	assert_string_equal(host_config_of(&b, "Runtime"), "runc");
}

static void a_version_whose_runtime_is_missing_is_denied_at_once_and_told_what_to_install(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("missing runtime");
	AUTO(function_free) struct function other = deployed("runtime that is there");

	(void)state;
	f.runtime = "gvisor";
	deploy(&f);
	restart_engine("{\"runc\":{}}");
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	int calls = rig.engine->calls[FAKE_CREATE];
	for (int i = 0; i < 2; i++) {
		struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
		assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
		assert_string_equal(d.detail, driver_find("gvisor")->missing);
		assert_int_equal(d.version, 1);
		assert_true(d.retry_after_ms > 0);
	}
	pool_tick(clock_mono_us()); /* nor spares of a shape that was asked for */
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_CREATE], calls);
	assert_int_equal(worker_take(&w, other.name).kind, IPC_START_PREWARMED);

	restart_engine(NULL); /* it was installed */
	struct grant g = worker_take(&w, f.name);
	assert_string_equal(host_config_of(&g, "Runtime"), "berth-runsc");
}

static void a_warm_sandbox_goes_on_when_its_runtime_is_removed(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("warm in gvisor");

	(void)state;
	f.runtime = "gvisor";
	deploy(&f);
	struct grant g = warm_up(&w, f.name);
	restart_engine("{\"runc\":{}}");
	assert_string_equal(worker_take(&w, f.name).sandbox_id, g.sandbox_id);
	restart_engine(NULL);
}

static void ignore(const struct err *err, const char *id, void *arg)
{
	(void)err, (void)id, (void)arg;
}

static void who_waits_when_the_engine_turns_out_to_lack_the_runtime_is_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("waits for its runtime");
	AUTO(function_free) struct function busy = deployed("keeps the node full");

	(void)state;
	f.runtime = "gvisor";
	deploy(&f);
	rig.conf->pool_max_sandboxes = 1;
	worker_take(&w, busy.name);
	uint64_t seq = worker_lease(&w, f.name, 0);
	worker_assert_silent(&w);
	rig.engine->runtimes = "{\"runc\":{}}";
	rig.engine->manner[FAKE_IMAGE].raw = "this is no HTTP\r\n\r\n"; /* makes the driver look at the engine */
	for (int i = 0; i < 10 && docker_offers(rig.docker, driver_find("gvisor")->engine_runtime); i++) {
		int probes = rig.engine->calls[FAKE_VERSION];
		docker_check_image(rig.docker, "any", ignore, NULL);
		WAIT_FOR(rig.engine->calls[FAKE_VERSION] > probes);
		rig_barrier();
		rig_turn();
	}
	struct denial d = worker_denied(&w, seq);
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_string_equal(d.detail, driver_find("gvisor")->missing);
	restart_engine(NULL);
}

static struct function egress_function_new(const char *name)
{
	struct function f = function_new(name);

	f.network = "egress";
	deploy(&f);
	return f;
}

static void assert_no_egress(struct worker *w, const struct function *f, const char *why)
{
	int calls = rig.engine->calls[FAKE_CREATE];
	struct denial d = worker_denied(w, worker_lease(w, f->name, 0));

	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, why));
	assert_true(d.retry_after_ms > 0);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_CREATE], calls);
}

static void egress_without_its_network_is_denied_at_once_and_told_why(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = egress_function_new("egress");

	(void)state;
	pool_rig_egress(NULL);
	assert_no_egress(&w, &f, "scripts/egress up");
	pool_rig_egress("its rules are not there\n");
	assert_no_egress(&w, &f, "does not work: its rules are not there");
	pool_rig_egress("");
	assert_no_egress(&w, &f, "does not report");
	pool_rig_egress("ok\n");
	restart_engine("{\"runc\":{},\"berth-runsc\":{},\"berth-runsc-egress\":{}}");
	assert_no_egress(&w, &f, "does not know the network");

	restart_engine(NULL);
	struct grant g = worker_take(&w, f.name);
	assert_string_equal(host_config_of(&g, "Runtime"), "berth-runc-egress");
	assert_string_equal(host_config_of(&g, "NetworkMode"), "none");
	pool_rig_egress(NULL);
}

static void when_the_network_is_lost_its_sandboxes_go_and_who_calls_is_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = egress_function_new("cut off"), other = function_new("not cut off");

	(void)state;
	deploy(&other);
	pool_rig_egress("ok\n");
	rig.conf->pool_min_spares = 1;
	warm_up(&w, other.name);
	warm_up(&w, f.name);
	pool_rig_egress("its rules are not there\n");
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1); /* the other one's */
	assert_int_equal(counters[COUNT_KILL_NO_NETWORK] > 0, 1);
	assert_no_egress(&w, &f, "its rules are not there");
	assert_int_equal(worker_take(&w, other.name).kind, IPC_START_WARM);
	/* Starts that failed for want of it are no reason to wait. */
	for (int i = 0; i < 20; i++)
		shape_start_failed(default_shape(), "its rules are not there", clock_mono_us());
	pool_rig_egress("ok\n");
	assert_int_equal(default_shape()->failures, 0);
	worker_take(&w, f.name);
	pool_rig_egress(NULL);
}

static void when_there_are_other_certificates_to_trust_what_has_the_network_is_replaced(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = egress_function_new("trusts"), other = function_new("asks nobody");
	AUTO(function_free) struct function leased = egress_function_new("trusts as well");
	struct conf changed = *rig.conf;

	(void)state;
	deploy(&other);
	pool_rig_egress("ok\n");
	warm_up(&w, other.name);
	warm_up(&w, f.name);
	struct grant g = worker_take(&w, leased.name);
	uint64_t before = counters[COUNT_KILL_CA_FILE];
	changed.sandbox_ca_file = (char *)"/etc/another.pem";
	shape_start_failed(default_shape(), "bind source path does not exist", clock_mono_us());
	pool_set_conf(&changed);
	WAIT_FOR(counters[COUNT_KILL_CA_FILE] == before + 1 && sandbox_counts[SANDBOX_IDLE] == 1);
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(counters[COUNT_KILL_CA_FILE] == before + 2);
	assert_int_equal(worker_take(&w, other.name).kind, IPC_START_WARM);
	assert_int_equal(worker_take(&w, f.name).kind, IPC_START_COLD);
	assert_int_equal(default_shape()->failures, 0);
	pool_set_conf(rig.conf);
	pool_rig_egress(NULL);
}

static void one_that_is_leased_while_the_network_is_lost_goes_when_it_is_given_back(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = egress_function_new("leased");

	(void)state;
	pool_rig_egress("ok\n");
	struct grant g = worker_take(&w, f.name);
	pool_rig_egress(NULL);
	uint64_t before = counters[COUNT_KILL_NO_NETWORK];
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(counters[COUNT_KILL_NO_NETWORK] == before + 1);
}

/* How often the pool asks Docker about images is its main program's. */
static void while_an_image_is_missing_its_language_is_denied_at_once_and_told_what_to_do(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("has no image");

	(void)state;
	rig.engine->missing_image = "alpha-image";
	image_check_all();
	WAIT_FOR(image_all_known());
	int creates = rig.engine->calls[FAKE_CREATE];
	struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "the image of alpha-1, alpha-image, is missing"));
	assert_non_null(strstr(d.detail, "scripts/images --version alpha-1"));
	assert_int_equal(rig.engine->calls[FAKE_CREATE], creates);

	rig.engine->missing_image = NULL;
	image_check_all();
	WAIT_FOR(!image_is_missing(rig.languages->versions));
	worker_take(&w, f.name);
}

static void an_image_that_a_start_fails_without_is_looked_for_at_once(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("loses its image");

	(void)state;
	image_check_all();
	WAIT_FOR(image_all_known());
	rig.engine->missing_image = "alpha-image";
	uint64_t seq = worker_lease(&w, f.name, 0);
	WAIT_FOR(image_is_missing(rig.languages->versions));
	struct denial d = worker_denied(&w, seq);
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "scripts/images --version alpha-1"));
	rig.engine->missing_image = NULL;
	image_check_all();
	WAIT_FOR(!image_is_missing(rig.languages->versions));
}

static void a_sandbox_without_egress_never_serves_a_version_with_it(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = egress_function_new("egress of its own");

	(void)state;
	pool_rig_egress("ok\n");
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	struct grant g = worker_take(&w, f.name);
	assert_int_equal(g.kind, IPC_START_COLD);
	assert_int_equal(default_shape()->spare_count, 1);
	pool_rig_egress(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORED_TEST(spares_are_kept_ready_and_made_good),
		STORED_TEST(a_shape_of_its_own_has_spares_as_long_as_it_is_used),
		STORED_TEST(an_idle_sandbox_goes_after_its_time_and_not_before),
		STORED_TEST(a_full_node_makes_room_by_what_has_been_idle_longest),
		STORED_TEST(a_full_node_makes_room_by_spares_nobody_waits_for),
		STORED_TEST(a_node_full_of_work_lets_wait_and_serves_what_comes_free),
		STORED_TEST(no_more_sandboxes_start_at_once_than_set),
		STORED_TEST(without_an_engine_warm_functions_go_on_and_others_are_told_at_once),
		STORED_TEST(starts_that_fail_are_told_in_dockers_words_and_tried_again_after_a_pause),
		STORED_TEST(one_start_that_fails_costs_no_request),
		STORED_TEST(spares_that_end_right_after_hello_are_started_with_growing_pauses),
		STORED_TEST(a_sandbox_that_has_served_ends_the_pauses_and_an_older_one_does_not),
		STORED_TEST(a_version_runs_in_the_runtime_it_names),
		STORED_TEST(a_version_whose_runtime_is_missing_is_denied_at_once_and_told_what_to_install),
		STORED_TEST(a_warm_sandbox_goes_on_when_its_runtime_is_removed),
		STORED_TEST(who_waits_when_the_engine_turns_out_to_lack_the_runtime_is_told),
		STORED_TEST(egress_without_its_network_is_denied_at_once_and_told_why),
		STORED_TEST(when_the_network_is_lost_its_sandboxes_go_and_who_calls_is_told),
		STORED_TEST(when_there_are_other_certificates_to_trust_what_has_the_network_is_replaced),
		STORED_TEST(one_that_is_leased_while_the_network_is_lost_goes_when_it_is_given_back),
		STORED_TEST(while_an_image_is_missing_its_language_is_denied_at_once_and_told_what_to_do),
		STORED_TEST(an_image_that_a_start_fails_without_is_looked_for_at_once),
		STORED_TEST(a_sandbox_without_egress_never_serves_a_version_with_it),
	};

	return cmocka_run_group_tests(tests, stored_set_up, stored_tear_down);
}
