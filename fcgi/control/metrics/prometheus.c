#include "control/metrics/prometheus.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control/metrics/exposition.h"
#include "http/problem.h"
#include "http/response.h"
#include "worker/worker.h"

/* The sources of all families, and the output. */
struct page {
	struct scoreboard *board;
	const struct conf *conf;
	struct tally tally;
	struct buf *text;
	const char *family;
};

static void sample(struct page *p, double value)
{
	exposition_sample(p->text, p->family, "", (struct exposition_label[]){{0}}, value);
}

static void labelled(struct page *p, const char *label, const char *name, double value)
{
	exposition_sample(p->text, p->family, "", (struct exposition_label[]){{label, name}, {0}}, value);
}

static void labelled_twice(struct page *p, struct exposition_label a, struct exposition_label b, double value)
{
	exposition_sample(p->text, p->family, "", (struct exposition_label[]){a, b, {0}}, value);
}

static struct exposition_label runtime_label(int runtime)
{
	return (struct exposition_label){"runtime", tally_runtimes[runtime]};
}

static void write_build_info(struct page *p)
{
	labelled(p, "version", PACKAGE_VERSION, 1);
}

static void write_start_time(struct page *p)
{
	int64_t age_us = clock_mono_us() - scoreboard_started_us(p->board);

	sample(p, (double)((clock_wall_us() - age_us) / 1000) / 1000);
}

static struct exposition_label start_label(enum ipc_start_kind kind)
{
	return (struct exposition_label){"start_kind", kind == IPC_START_NONE ? "none" : start_kind_name(kind)};
}

static void write_invocations(struct page *p)
{
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		for (int i = 0; i < IPC_START_COUNT; i++)
			labelled_twice(p, runtime_label(r), start_label((enum ipc_start_kind)i),
				       (double)p->tally.invocations[r][i]);
}

static void write_errors(struct page *p)
{
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		for (int i = 0; i < PROBLEM_COUNT; i++)
			labelled_twice(p, runtime_label(r),
				       (struct exposition_label){"code", problem_name((enum problem_code)i)},
				       (double)p->tally.errors[r][i]);
}

static void write_bucket(struct page *p, int runtime, const char *bound, uint64_t count)
{
	const struct exposition_label labels[] = {runtime_label(runtime), {"le", bound}, {0}};

	exposition_sample(p->text, p->family, "_bucket", labels, (double)count);
}

static void write_histogram(struct page *p, int runtime, const struct tally_histogram *h)
{
	const struct exposition_label labels[] = {runtime_label(runtime), {0}};
	uint64_t count = 0;

	for (int b = 0; b < TALLY_BUCKETS; b++) {
		char bound[32] = "+Inf";
		if (b < TALLY_BUCKETS - 1)
			snprintf(bound, sizeof(bound), "%.15g", (double)tally_bound_us(b) / 1e6);
		count += h->buckets[b];
		write_bucket(p, runtime, bound, count);
	}
	exposition_sample(p->text, p->family, "_sum", labels, (double)h->sum_us / 1e6);
	exposition_sample(p->text, p->family, "_count", labels, (double)count);
}

static void write_times(struct page *p, enum tally_time time)
{
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		write_histogram(p, r, &p->tally.times[r][time]);
}

static void write_durations(struct page *p)
{
	write_times(p, TALLY_RESPONSE);
}

static void write_queue(struct page *p)
{
	write_times(p, TALLY_QUEUE);
}

static void write_init(struct page *p)
{
	write_times(p, TALLY_INIT);
}

static void write_exec(struct page *p)
{
	write_times(p, TALLY_EXEC);
}

static void write_seconds(struct page *p, const _Atomic uint64_t us[TALLY_RUNTIMES])
{
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		labelled(p, "runtime", tally_runtimes[r], (double)us[r] / 1e6);
}

static void write_cpu(struct page *p)
{
	write_seconds(p, p->tally.cpu_us);
}

static void write_background(struct page *p)
{
	write_seconds(p, p->tally.background_us);
}

static void write_late_errors(struct page *p)
{
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		labelled(p, "runtime", tally_runtimes[r], (double)p->tally.late_errors[r]);
}

static void write_request_bytes(struct page *p)
{
	sample(p, (double)p->tally.request_bytes);
}

static void write_response_bytes(struct page *p)
{
	sample(p, (double)p->tally.response_bytes);
}

static void write_processes(struct page *p)
{
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		struct scoreboard_sum sum = scoreboard_sum(p->board, role);
		for (enum slot_state state = SLOT_STARTING; state < SLOT_STATE_COUNT; state++)
			labelled_twice(p, (struct exposition_label){"role", child_role_name(role)},
				       (struct exposition_label){"state", slot_state_name(state)}, sum.states[state]);
	}
}

static void write_silent(struct page *p)
{
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		labelled(p, "role", child_role_name(role), scoreboard_sum(p->board, role).silent);
}

static void write_process_requests(struct page *p)
{
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		labelled(p, "role", child_role_name(role), (double)scoreboard_sum(p->board, role).requests);
}

static void write_process_failures(struct page *p)
{
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		labelled(p, "role", child_role_name(role), (double)scoreboard_sum(p->board, role).failures);
}

static void write_dropped(struct page *p)
{
	sample(p, (double)scoreboard_sum(p->board, CHILD_INVOKE).dropped_records);
}

static void write_spool(struct page *p)
{
	sample(p, (double)*scoreboard_spool_bytes(p->board));
}

static void write_quota(struct page *p)
{
	sample(p, (double)p->conf->spool_quota_mb * (1 << 20));
}

static void write_stores(struct page *p)
{
	sample(p, *scoreboard_stores(p->board) != 0);
}

static void write_certificate_ends(struct page *p)
{
	sample(p, (double)*scoreboard_certificate_ends_s(p->board));
}

/* During an upgrade the other berthd has a poolmgr too, but on this scoreboard there is at most one. */
static bool poolmgr_is_up(const struct page *p)
{
	struct scoreboard_sum sum = scoreboard_sum(p->board, CHILD_POOLMGR);

	return sum.states[SLOT_IDLE] > 0 && sum.silent == 0;
}

static void write_poolmgr_up(struct page *p)
{
	sample(p, poolmgr_is_up(p));
}

static double gauge(struct page *p, enum gauge gauge)
{
	return (double)*scoreboard_gauge(p->board, gauge);
}

static void write_database_up(struct page *p)
{
	sample(p, gauge(p, GAUGE_database_up));
}

/* One value for each runtime; the last one is for no runtime. */
static void write_sandboxes(struct page *p)
{
	static const struct {
		enum runtime_gauge gauge;
		const char *state;
	} states[] = {
		{RUNTIME_GAUGE_starting, "starting"}, {RUNTIME_GAUGE_spare, "spare"}, {RUNTIME_GAUGE_idle, "idle"},
		{RUNTIME_GAUGE_busy, "busy"},         {RUNTIME_GAUGE_dying, "dying"},
	};

	for (int r = 0; r < TALLY_RUNTIMES - 1; r++)
		for (size_t i = 0; i < ARRAY_SIZE(states); i++)
			labelled_twice(p, runtime_label(r), (struct exposition_label){"state", states[i].state},
				       (double)*scoreboard_runtime_gauge(p->board, r, states[i].gauge));
}

static void write_spares_wanted(struct page *p)
{
	for (int r = 0; r < TALLY_RUNTIMES - 1; r++)
		labelled(p, "runtime", tally_runtimes[r],
			 (double)*scoreboard_runtime_gauge(p->board, r, RUNTIME_GAUGE_spares_wanted));
}

static void write_lanes_waiting(struct page *p)
{
	sample(p, gauge(p, GAUGE_lanes_waiting));
}

static void write_lanes_longest(struct page *p)
{
	sample(p, gauge(p, GAUGE_lanes_longest));
}

static void write_waiting(struct page *p)
{
	sample(p, gauge(p, GAUGE_waiting));
}

static void write_memory(struct page *p)
{
	sample(p, gauge(p, GAUGE_sandbox_memory_mb) * (1 << 20));
}

static void write_counters(struct page *p, const char *family, const char *label)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		if (strcmp(counter_rows[i].family, family) == 0)
			labelled(p, label, counter_rows[i].label, (double)*scoreboard_counter(p->board, (enum counter)i));
}

static void write_starts(struct page *p)
{
	write_counters(p, "starts", "result");
}

static void write_grants(struct page *p)
{
	write_counters(p, "grants", "kind");
}

static void write_denials(struct page *p)
{
	write_counters(p, "denials", "reason");
}

static void write_evictions(struct page *p)
{
	write_counters(p, "evictions", "reason");
}

static void write_kills(struct page *p)
{
	write_counters(p, "kills", "reason");
}

static void write_drift(struct page *p)
{
	write_counters(p, "drift", "kind");
}

enum source { BOARD, TLS, POOL };

static const struct {
	const char *name, *type, *help;
	enum source source;
	void (*write)(struct page *page);
} families[] = {
#define FAMILY(name, type, source, write, help) {#name, #type, help, source, write},
#include "control/metrics/prometheus.def"
#undef FAMILY
};

void prometheus_write(struct scoreboard *board, const struct conf *conf, struct buf *text)
{
	struct page page = {.board = board, .conf = conf, .text = text};
	const bool there[] = {
		[BOARD] = true,
		[TLS] = *scoreboard_certificate_ends_s(board) != 0,
		[POOL] = poolmgr_is_up(&page),
	};

	scoreboard_tally_sum(board, &page.tally);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (!there[families[i].source])
			continue;
		page.family = families[i].name;
		exposition_family(text, page.family, families[i].type, families[i].help);
		families[i].write(&page);
	}
}

void prometheus_get(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(buf_free) struct buf text = {0};

	(void)request;
	prometheus_write(w->board, w->conf, &text);
	response_body(response, 200, EXPOSITION_CONTENT_TYPE, &(struct str){text.data, (uint32_t)text.len}, 1);
}
