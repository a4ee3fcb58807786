#include "status/report.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "status/table.h"

static const char *text(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name)) ?: "";
}

static int64_t number(const json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

static void add_number(struct table *t, const json_t *json, const char *name)
{
	table_add(t, "%" PRId64, number(json, name));
}

/* The two largest units. */
static void format_duration(int64_t ms, char *out, size_t size)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	int64_t left = ms / 1000;
	size_t i = 0;

	while (i < ARRAY_SIZE(units) - 1 && left < units[i].seconds)
		i++;
	int n = snprintf(out, size, "%" PRId64 " %s", left / units[i].seconds, units[i].name);
	left %= units[i].seconds;
	if (i + 1 < ARRAY_SIZE(units) && left >= units[i + 1].seconds)
		snprintf(out + n, size - (size_t)n, " %" PRId64 " %s", left / units[i + 1].seconds, units[i + 1].name);
}

static void print_head(const json_t *stats, pid_t master, FILE *out)
{
	const json_t *berthd = json_object_get(stats, "berthd");
	char up[48];

	format_duration(number(berthd, "uptime_ms"), up, sizeof(up));
	fprintf(out, "berthd %s, instance '%s', pid %d, up %s\n", text(berthd, "version"), text(berthd, "instance"),
		(int)master, up);
}

static void print_dependency(const json_t *stats, const char *name, const char *title, FILE *out)
{
	AUTO(table_free) struct table t = {.columns = 1};
	const json_t *one = json_object_get(stats, name);
	bool ok = json_is_true(json_object_get(one, "ok"));
	const char *version = ok ? text(one, "version") : "";

	table_add(&t, "%-13s  %s%s%s", title, ok ? "answers" : text(one, "detail"), version[0] ? ", version " : "", version);
	table_print(&t, out);
}

static void print_processes(const json_t *stats, FILE *out)
{
	static const char *const columns[] = {"starting", "idle", "busy", "stopping", "silent", "requests"};
	AUTO(table_free) struct table t = {.columns = 1 + ARRAY_SIZE(columns)};
	json_t *processes = json_object_get(stats, "processes"), *one;
	int64_t dropped = 0;
	const char *role;

	table_add(&t, "Processes");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		table_add(&t, "%s", columns[i]);
	json_object_foreach (processes, role, one) {
		table_add(&t, "  %s", role);
		for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
			add_number(&t, one, columns[i]);
		dropped += number(one, "dropped_records");
	}
	table_print(&t, out);
	const json_t *lanes = json_object_get(stats, "lanes");
	if (json_is_object(lanes))
		fprintf(out, "  requests waiting for a worker: %" PRId64 ", in one lane of %" PRId64 " at most %" PRId64 "\n",
			number(lanes, "waiting"), number(lanes, "count"), number(lanes, "longest"));
	fprintf(out, "  records waiting for PostgreSQL: %" PRId64 " bytes, dropped: %" PRId64 "\n",
		number(stats, "spool_bytes"), dropped);
}

static const char *const states[] = {"creating", "booting", "spare", "assigned", "warming", "leased", "idle", "dying"};

static void add_states(struct table *t, const json_t *sandboxes)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		add_number(t, sandboxes, states[i]);
}

static void print_left_out(const json_t *stats, const char *name, FILE *out)
{
	if (number(stats, name) > 0)
		fprintf(out, "  … and %" PRId64 " more\n", number(stats, name));
}

static void print_sandboxes(const json_t *stats, FILE *out)
{
	AUTO(table_free) struct table t = {.columns = ARRAY_SIZE(states) + 3};
	json_t *shapes = json_object_get(stats, "shapes"), *shape;
	const json_t *memory = json_object_get(stats, "memory");
	size_t i;

	table_add(&t, "Sandboxes");
	for (i = 0; i < ARRAY_SIZE(states); i++)
		table_add(&t, "%s", states[i]);
	table_add(&t, "spares wanted");
	table_add(&t, "waiting");
	json_array_foreach (shapes, i, shape) {
		table_add(&t, "  %s", text(shape, "shape"));
		add_states(&t, json_object_get(shape, "sandboxes"));
		add_number(&t, shape, "spares_wanted");
		add_number(&t, shape, "waiting");
	}
	table_add(&t, "  all");
	add_states(&t, json_object_get(stats, "sandboxes"));
	table_add(&t, "%s", "");
	add_number(&t, stats, "waiting");
	table_print(&t, out);
	print_left_out(stats, "shapes_left_out", out);
	fprintf(out, "  memory they may use: %" PRId64 " MB of %" PRId64 " MB\n", number(memory, "committed_mb"),
		number(memory, "budget_mb"));
}

static void print_problems(const json_t *stats, FILE *out)
{
	AUTO(table_free) struct table t = {.columns = 1};
	json_t *shapes = json_object_get(stats, "shapes"), *shape;
	size_t i;

	json_array_foreach (shapes, i, shape)
		if (text(shape, "problem")[0] != '\0')
			table_add(&t, "  %s: %s", text(shape, "shape"), text(shape, "problem"));
	table_print(&t, out);
}

static void print_functions(const json_t *stats, FILE *out)
{
	static const char *const columns[] = {"assigned", "warming",  "leased",          "idle",
					      "waiting",  "min warm", "max concurrency", "usual ms"};
	AUTO(table_free) struct table t = {.columns = 3 + ARRAY_SIZE(columns)};
	json_t *functions = json_object_get(stats, "functions"), *f;
	size_t i;

	table_add(&t, "Functions");
	table_add(&t, "version");
	table_add(&t, "status");
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		table_add(&t, "%s", columns[i]);
	json_array_foreach (functions, i, f) {
		const json_t *sandboxes = json_object_get(f, "sandboxes");
		table_add(&t, "  %s", text(f, "name"));
		add_number(&t, f, "version");
		table_add(&t, "%s", text(f, "status"));
		add_number(&t, sandboxes, "assigned");
		add_number(&t, sandboxes, "warming");
		add_number(&t, sandboxes, "leased");
		add_number(&t, sandboxes, "idle");
		add_number(&t, f, "waiting");
		add_number(&t, f, "min_warm");
		add_number(&t, f, "max_concurrency");
		table_add(&t, "%.1f", (double)number(f, "usual_us") / 1000);
	}
	if (json_array_size(functions) == 0)
		fprintf(out, "Functions: none has a sandbox or waits for one\n");
	else
		table_print(&t, out);
	print_left_out(stats, "functions_left_out", out);
}

/* Only the counters of a family that are not 0. */
static void print_family(const char *name, json_t *family, size_t width, FILE *out)
{
	const char *separator = "", *label;
	json_t *value;

	fprintf(out, "  %-*s  ", (int)width, name);
	json_object_foreach (family, label, value) {
		if (json_integer_value(value) == 0)
			continue;
		fprintf(out, "%s%s %" PRId64, separator, label, (int64_t)json_integer_value(value));
		separator = ", ";
	}
	fprintf(out, "%s\n", *separator ? "" : "none");
}

static void print_counters(const json_t *stats, FILE *out)
{
	json_t *counters = json_object_get(stats, "counters"), *family;
	char up[48];
	size_t width = 0;
	const char *name;

	format_duration(number(stats, "uptime_ms"), up, sizeof(up));
	fprintf(out, "Counted in the %s since the pool manager started\n", up);
	json_object_foreach (counters, name, family)
		width = MAX(width, strlen(name));
	json_object_foreach (counters, name, family)
		print_family(name, family, width, out);
}

void report_print(const json_t *stats, pid_t master, FILE *out)
{
	print_head(stats, master, out);
	print_dependency(stats, "docker", "Docker Engine", out);
	print_dependency(stats, "database", "PostgreSQL", out);
	fputc('\n', out);
	print_processes(stats, out);
	fputc('\n', out);
	print_sandboxes(stats, out);
	print_problems(stats, out);
	fputc('\n', out);
	print_functions(stats, out);
	fputc('\n', out);
	print_counters(stats, out);
}
