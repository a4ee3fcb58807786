#include "control/metrics/figures.h"

#include <math.h>

#include "base/mem.h"

static const struct {
	const char *name;
	double share;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}};

void figures_free(struct figures *figures)
{
	rollup_free(&figures->rollup);
	json_decref(figures->errors);
}

static void count_errors(struct figures *figures, const char *code, json_int_t count)
{
	if (code[0] == '\0' || count == 0)
		return;
	if (figures->errors == NULL)
		figures->errors = json_object();
	count += json_integer_value(json_object_get(figures->errors, code));
	json_object_set_new(figures->errors, code, json_integer(count));
}

int figures_add(struct figures *figures, const struct rollup_row *row, struct err *err)
{
	uint64_t before = figures->rollup.requests;

	if (rollup_merge_row(&figures->rollup, row->result, row->row, row->first, err) < 0)
		return -1;
	count_errors(figures, row->error_code, (json_int_t)(figures->rollup.requests - before));
	return 0;
}

void figures_merge(struct figures *to, const struct figures *from)
{
	const char *code;
	json_t *count;

	rollup_merge(&to->rollup, &from->rollup);
	json_object_foreach (from->errors, code, count)
		count_errors(to, code, json_integer_value(count));
}

static json_int_t error_count(const struct figures *figures)
{
	json_int_t errors = 0;
	const char *code;
	json_t *count;

	json_object_foreach (figures->errors, code, count)
		errors += json_integer_value(count);
	return errors;
}

/* Rounds numbers to the precision that was measured. */
static json_t *rounded(double value, double unit)
{
	return json_real(round(value / unit) * unit);
}

static json_t *milliseconds(double us)
{
	return rounded(us / 1000, 0.001);
}

static double share(double part, uint64_t of)
{
	return of == 0 ? 0 : part / (double)of;
}

/* A quantile is accurate to 2 %, so it is limited to the maximum, which is known exactly. */
static json_t *times_json(const struct histogram *h, uint64_t sum_us, uint64_t max_us)
{
	json_t *json = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
		json_object_set_new(json, quantiles[i].name,
				    milliseconds(MIN(histogram_quantile(h, quantiles[i].share), (double)max_us)));
	json_object_set_new(json, "max", milliseconds((double)max_us));
	json_object_set_new(json, "mean", milliseconds(share((double)sum_us, histogram_count(h))));
	return json;
}

void figures_write(const struct figures *figures, int64_t length_us, json_t *json)
{
	const struct rollup *r = &figures->rollup;
	json_int_t errors = error_count(figures);

	json_object_set_new(json, "requests", json_integer((json_int_t)r->requests));
	json_object_set_new(json, "errors", json_integer(errors));
	json_object_set_new(json, "error_rate", rounded(share((double)errors, r->requests), 1e-6));
	json_object_set_new(json, "errors_by_code", figures->errors != NULL ? json_incref(figures->errors) : json_object());
	json_object_set_new(json, "starts",
			    json_pack("{s:I, s:I, s:I}", "cold", (json_int_t)r->cold, "prewarmed", (json_int_t)r->prewarmed,
				      "warm", (json_int_t)r->warm));
	json_object_set_new(json, "response_ms", times_json(&r->response_histogram, r->response_us, r->response_us_max));
	json_object_set_new(json, "queue_ms", times_json(&r->queue_histogram, r->queue_us, r->queue_us_max));
	json_object_set_new(json, "init_ms", times_json(&r->init_histogram, r->init_us, r->init_us_max));
	json_object_set_new(json, "exec_ms", times_json(&r->exec_histogram, r->exec_us, r->exec_us_max));
	json_object_set_new(json, "overhead_ms",
			    json_pack("{s:o}", "mean", milliseconds(share((double)r->overhead_us, r->requests))));
	json_object_set_new(json, "cpu_ms",
			    json_pack("{s:o, s:o, s:o}", "total", milliseconds((double)r->cpu_us), "mean",
				      milliseconds(share((double)r->cpu_us, r->cpu_requests)), "max",
				      milliseconds((double)r->cpu_us_max)));
	json_object_set_new(json, "background_cpu_ms", json_pack("{s:o}", "total", milliseconds((double)r->background_us)));
	json_object_set_new(json, "memory_bytes",
			    json_pack("{s:I, s:I}", "mean", (json_int_t)share((double)r->memory_bytes, r->memory_requests),
				      "max", (json_int_t)r->memory_bytes_max));
	json_object_set_new(json, "request_bytes", json_integer((json_int_t)r->request_bytes));
	json_object_set_new(json, "response_bytes", json_integer((json_int_t)r->response_bytes));
	/* Little's law: the average number of invocations under way, including waiting ones. */
	json_object_set_new(json, "concurrency", rounded((double)r->response_us / (double)length_us, 0.001));
}
