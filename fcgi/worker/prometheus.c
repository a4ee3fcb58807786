#include "worker/prometheus.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "worker/problem.h"
#include "worker/response.h"
#include "worker/worker.h"

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What all families are written from, and to. */
struct page {
	struct scoreboard *board;
	const struct conf *conf;
	struct tally tally;
	struct buf *text;
	const char *family;
};

/* One number. Labels are names of ours: nothing in them needs escaping. */
static void sample(struct page *p, const char *labels, double value)
{
	buf_printf(p->text, "%s%s %.15g\n", p->family, labels, value);
}

static void labelled(struct page *p, const char *label, const char *name, double value)
{
	buf_printf(p->text, "%s{%s=\"%s\"} %.15g\n", p->family, label, name, value);
}

static void write_build_info(struct page *p)
{
	labelled(p, "version", PACKAGE_VERSION, 1);
}

static void write_start_time(struct page *p)
{
	int64_t age_us = clock_mono_us() - scoreboard_started_us(p->board);

	sample(p, "", (double)((clock_wall_us() - age_us) / 1000) / 1000);
}

static void write_invocations(struct page *p)
{
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		for (int s = 0; s < TALLY_STARTS; s++)
			buf_printf(p->text, "%s{runtime=\"%s\",start=\"%s\"} %" PRIu64 "\n", p->family, tally_runtimes[r],
				   tally_starts[s], (uint64_t)p->tally.invocations[r][s]);
}

static void write_errors(struct page *p)
{
	for (int code = 0; code < PROBLEM_COUNT; code++)
		labelled(p, "code", problem_name((enum problem_code)code), (double)p->tally.errors[code]);
}

static void write_histogram(struct page *p, const char *runtime, const struct tally_histogram *h)
{
	uint64_t count = 0;

	for (int b = 0; b < TALLY_BUCKETS; b++) {
		count += h->buckets[b];
		buf_printf(p->text, "%s_bucket{runtime=\"%s\",le=\"", p->family, runtime);
		if (b == TALLY_BUCKETS - 1)
			buf_add_str(p->text, "+Inf");
		else
			buf_printf(p->text, "%.15g", (double)tally_bound_us(b) / 1e6);
		buf_printf(p->text, "\"} %" PRIu64 "\n", count);
	}
	buf_printf(p->text, "%s_sum{runtime=\"%s\"} %.15g\n", p->family, runtime, (double)h->sum_us / 1e6);
	buf_printf(p->text, "%s_count{runtime=\"%s\"} %" PRIu64 "\n", p->family, runtime, count);
}

static void write_times(struct page *p, enum tally_time time)
{
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		write_histogram(p, tally_runtimes[r], &p->tally.times[r][time]);
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

static void write_request_bytes(struct page *p)
{
	sample(p, "", (double)p->tally.request_bytes);
}

static void write_response_bytes(struct page *p)
{
	sample(p, "", (double)p->tally.response_bytes);
}

static void write_processes(struct page *p)
{
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		struct scoreboard_sum sum = scoreboard_sum(p->board, role);
		for (enum slot_state state = SLOT_STARTING; state < SLOT_STATE_COUNT; state++)
			buf_printf(p->text, "%s{role=\"%s\",state=\"%s\"} %d\n", p->family, child_role_name(role),
				   slot_state_name(state), sum.states[state]);
	}
}

static void write_process_requests(struct page *p)
{
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		labelled(p, "role", child_role_name(role), (double)scoreboard_sum(p->board, role).requests);
}

static void write_dropped(struct page *p)
{
	sample(p, "", (double)scoreboard_sum(p->board, CHILD_INVOKE).dropped_records);
}

static void write_spool(struct page *p)
{
	sample(p, "", (double)*scoreboard_spool_bytes(p->board));
}

static void write_quota(struct page *p)
{
	sample(p, "", (double)p->conf->spool_quota_mb * (1 << 20));
}

static void write_stores(struct page *p)
{
	sample(p, "", *scoreboard_stores(p->board) != 0);
}

static void write_poolmgr_up(struct page *p)
{
	sample(p, "", scoreboard_sum(p->board, CHILD_POOLMGR).states[SLOT_IDLE] > 0);
}

static double gauge(struct page *p, enum gauge gauge)
{
	return (double)*scoreboard_gauge(p->board, gauge);
}

static void write_sandboxes(struct page *p)
{
	labelled(p, "state", "starting", gauge(p, GAUGE_sandboxes_starting));
	labelled(p, "state", "spare", gauge(p, GAUGE_sandboxes_spare));
	labelled(p, "state", "idle", gauge(p, GAUGE_sandboxes_idle));
	labelled(p, "state", "busy", gauge(p, GAUGE_sandboxes_busy));
}

static void write_spares_wanted(struct page *p)
{
	sample(p, "", gauge(p, GAUGE_spares_wanted));
}

static void write_waiting(struct page *p)
{
	sample(p, "", gauge(p, GAUGE_waiting));
}

static void write_memory(struct page *p)
{
	sample(p, "", gauge(p, GAUGE_sandbox_memory_mb) * (1 << 20));
}

static void write_counters(struct page *p, const char *family, const char *label)
{
	static const struct {
		const char *family, *label;
	} rows[] = {
#define COUNTER(NAME, family, label, text) {#family, #label},
#include "ipc/counter.def"
#undef COUNTER
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].family, family) == 0)
			labelled(p, label, rows[i].label, (double)*scoreboard_counter(p->board, (int)i));
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

static const struct {
	const char *name, *type, *help;
	void (*write)(struct page *page);
} families[] = {
#define FAMILY(name, type, write, help) {#name, #type, help, write},
#include "worker/prometheus.def"
#undef FAMILY
};

void prometheus_write(struct scoreboard *board, const struct conf *conf, struct buf *text)
{
	struct page page = {.board = board, .conf = conf, .text = text};

	scoreboard_tally_sum(board, &page.tally);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		page.family = families[i].name;
		buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n", page.family, families[i].help, page.family, families[i].type);
		families[i].write(&page);
	}
}

void prometheus_tell(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(buf_free) struct buf text = {0};

	(void)request;
	prometheus_write(w->board, w->conf, &text);
	response_body(response, 200, CONTENT_TYPE, &(struct str){text.data, (uint32_t)text.len}, 1);
}
