#include "control/functions/function_input.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "http/json_text.h"
#include "runtimes/driver.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

/* As JSON, which is how it travels: a message between processes is bounded (IPC_MAX_SIZE). */
#define ENVIRONMENT_MAX 32768

/* Of a name that a client has invented, as it is told. */
#define FIELD_NAME_MAX 160

/* A bound is a constant, a setting, or what the machine has. */
struct bound {
	enum { NO_BOUND, CONSTANT, SETTING, HOST_CPU_MILLIS, NODE_MEMORY_MB } from;
	int64_t value; /* or the setting's offset in struct conf */
};
#define CONST(v)                                                                                                               \
	{                                                                                                                      \
		CONSTANT, v                                                                                                    \
	}
#define CONF(setting)                                                                                                          \
	{                                                                                                                      \
		SETTING, offsetof(struct conf, setting)                                                                        \
	}

enum kind {
	TEXT,   /* min and max are lengths in bytes */
	WHOLE,  /* a whole number */
	MILLIS, /* a number, kept in thousandths */
	CODE,   /* text that is packed, not kept */
	MAP,    /* an object of strings */
};

struct check {
	const struct function_rules *rules;
	json_t *errors;
	size_t start; /* errors that were there before */
};

struct field {
	const char *name;
	enum kind kind;
	bool required; /* of a new function */
	size_t offset; /* in struct spec */
	struct bound min, max, def;
	const char *def_text;
	size_t def_setting; /* offset in struct conf of the default; 0: none */
	bool (*valid)(const struct check *check, const struct field *field, const json_t *value);
	const char *(*values)(size_t i); /* all there are, then NULL */
};

static bool valid_name(const struct check *check, const struct field *field, const json_t *value);
static bool valid_language(const struct check *check, const struct field *field, const json_t *value);
static bool valid_handler(const struct check *check, const struct field *field, const json_t *value);
static bool valid_environment(const struct check *check, const struct field *field, const json_t *value);
static bool valid_choice(const struct check *check, const struct field *field, const json_t *value);

static const char *runtimes(size_t i)
{
	return i < driver_count ? drivers[i]->name : NULL;
}

static const char *networks(size_t i)
{
	static const char *const all[] = {"none", "egress", NULL};

	return all[i];
}

static const char *isolations(size_t i)
{
	static const char *const all[] = {"per_function", "per_invocation", NULL};

	return all[i];
}

static const struct field fields[] = {
#define AT(member) .offset = offsetof(struct spec, member)
	{"name", TEXT, .required = true, AT(name), CONST(1), CONST(63), .valid = valid_name},
	{"language", TEXT, .required = true, AT(language), CONST(1), CONST(32), .valid = valid_language},
	{"runtime", TEXT, AT(runtime), CONST(1), CONST(32), .def_setting = offsetof(struct conf, sandbox_default_runtime),
	 .valid = valid_choice, .values = runtimes},
	/* The default is the language's. */
	{"handler", TEXT, AT(handler), CONST(1), CONST(128), .valid = valid_handler},
	{"code", CODE, .required = true, .min = CONST(1), .max = CONF(limits_code_bytes)},
	{"timeout_ms", WHOLE, AT(timeout_ms), CONST(100), CONF(limits_timeout_max_ms), CONF(limits_timeout_default_ms)},
	{"init_timeout_ms", WHOLE, AT(init_timeout_ms), CONST(100), CONF(limits_init_timeout_max_ms),
	 CONF(limits_init_timeout_default_ms)},
	{"memory_limit_mb", WHOLE, AT(memory_limit_mb), CONST(64), {NODE_MEMORY_MB}, CONF(limits_memory_default_mb)},
	{"cpus", MILLIS, AT(cpu_millis), CONST(100), {HOST_CPU_MILLIS}, CONST(1000)},
	{"tmp_mb", WHOLE, AT(tmp_mb), CONST(1), CONF(limits_tmp_max_mb), CONF(limits_tmp_default_mb)},
	{"tmp_inodes", WHOLE, AT(tmp_inodes), CONST(16), CONF(limits_tmp_inodes_max), CONF(limits_tmp_inodes_default)},
	{"pids", WHOLE, AT(pids), CONST(8), CONF(limits_pids_max), CONF(limits_pids_default)},
	{"nofile", WHOLE, AT(nofile), CONST(64), CONF(limits_nofile_max), CONF(limits_nofile_default)},
	{"response_bytes", WHOLE, AT(response_bytes), CONST(1024), CONF(limits_response_bytes), CONF(limits_response_bytes)},
	{"log_bytes", WHOLE, AT(log_bytes), CONST(0), CONF(limits_log_max_bytes), CONF(limits_log_default_bytes)},
	{"max_concurrency", WHOLE, AT(max_concurrency), CONST(1), CONF(limits_concurrency_max),
	 CONF(limits_concurrency_default)},
	{"min_warm", WHOLE, AT(min_warm), CONST(0), CONF(limits_min_warm_max), CONST(0)},
	{"environment", MAP, AT(environment), .max = CONST(ENVIRONMENT_MAX), .valid = valid_environment},
	{"network", TEXT, AT(network), CONST(1), CONST(32), .def_text = "none", .valid = valid_choice, .values = networks},
	{"isolation", TEXT, AT(isolation), CONST(1), CONST(32), .def_text = "per_function", .valid = valid_choice,
	 .values = isolations},
#undef AT
};

static int64_t bound_value(const struct function_rules *rules, const struct bound *b)
{
	switch (b->from) {
	case NO_BOUND:
	case CONSTANT:
		return b->value;
	case SETTING:
		return *(const int64_t *)((const char *)rules->conf + b->value);
	case HOST_CPU_MILLIS:
		return MAX(sysconf(_SC_NPROCESSORS_ONLN), 1) * 1000;
	case NODE_MEMORY_MB:
		return MIN(rules->conf->limits_memory_max_mb, conf_memory_budget_mb(rules->conf));
	}
	return 0;
}

/* What is beyond is as wrong without being said: an answer must not become larger than what it answers. */
static PRINTF_LIKE(4, 0) void add_error(json_t *errors, const char *field, const char *code, const char *message, va_list ap)
{
	char text[512];

	if (json_array_size(errors) == FUNCTION_INPUT_ERRORS_MAX)
		return;
	vsnprintf(text, sizeof(text), message, ap);
	json_t *name = json_textn(field, json_text_cut(field, strlen(field), FIELD_NAME_MAX));
	json_array_append_new(errors, json_pack("{s:o, s:s, s:o}", "field", name, "code", code, "message", json_text(text)));
}

void function_input_error(json_t *errors, const char *field, const char *code, const char *message, ...)
{
	va_list ap;

	va_start(ap, message);
	add_error(errors, field, code, message, ap);
	va_end(ap);
}

/* false, so that a check can end with it. */
static bool PRINTF_LIKE(4, 5) wrong(const struct check *check, const char *field, const char *code, const char *message, ...)
{
	va_list ap;

	va_start(ap, message);
	add_error(check->errors, field, code, message, ap);
	va_end(ap);
	return false;
}

static bool valid_name(const struct check *check, const struct field *field, const json_t *value)
{
	const char *name = json_string_value(value);
	struct uuid u;

	if (strspn(name, LOWER DIGIT "-_") != strlen(name) || name[0] == '-' || name[0] == '_')
		return wrong(check, field->name, "invalid_value",
			     "A name may contain only a-z, 0-9, '-' and '_', and must begin with a letter or a digit");
	if (uuid_parse(name, &u))
		return wrong(check, field->name, "invalid_value", "A name must not look like an id (UUID)");
	return true;
}

static bool valid_language(const struct check *check, const struct field *field, const json_t *value)
{
	const struct language *l;
	AUTO(buf_free) struct buf known = {0};

	if (language_find(check->rules->languages, json_string_value(value)) != NULL)
		return true;
	for (l = check->rules->languages; l != NULL; l = l->next)
		buf_printf(&known, "%s%s", known.len ? ", " : "", l->name);
	return wrong(check, field->name, "invalid_value", "Unknown language '%s'; available: %s", json_string_value(value),
		     buf_str(&known));
}

/* What an agent makes of it is the language's business: "main.handler", "pkg/mod.handler". */
static bool valid_handler(const struct check *check, const struct field *field, const json_t *value)
{
	const char *handler = json_string_value(value);
	const char *dot = strrchr(handler, '.');

	if (strspn(handler, LOWER UPPER DIGIT "_$-./") != strlen(handler) || handler[0] == '/' ||
	    strstr(handler, "..") != NULL || dot == NULL || dot == handler || dot[1] == '\0')
		return wrong(check, field->name, "invalid_value",
			     "A handler must be 'file.function', for example main.handler or lib/api.handler");
	return true;
}

static bool valid_choice(const struct check *check, const struct field *field, const json_t *value)
{
	AUTO(buf_free) struct buf known = {0};

	for (size_t i = 0; field->values(i) != NULL; i++) {
		if (strcmp(field->values(i), json_string_value(value)) == 0)
			return true;
		buf_printf(&known, "%s%s", known.len ? ", " : "", field->values(i));
	}
	return wrong(check, field->name, "invalid_value", "%s must be one of: %s", field->name, buf_str(&known));
}

static bool valid_variable(const struct check *check, const char *name, const json_t *value)
{
	char field[160];

	snprintf(field, sizeof(field), "environment.%.128s", name);
	if (name[0] == '\0' || isdigit((unsigned char)name[0]) || strspn(name, LOWER UPPER DIGIT "_") != strlen(name))
		return wrong(check, field, "invalid_value",
			     "A variable's name may contain only letters, digits and '_', and must not begin with a digit");
	if (strncmp(name, "BERTH_", 6) == 0)
		return wrong(check, field, "reserved", "Names that begin with BERTH_ are reserved for Berth");
	if (!json_is_string(value))
		return wrong(check, field, "wrong_type", "The value of a variable must be a string");
	if (strlen(json_string_value(value)) != json_string_length(value))
		return wrong(check, field, "invalid_value", "The value of a variable must not contain a NUL character");
	return true;
}

static bool valid_environment(const struct check *check, const struct field *field, const json_t *value)
{
	size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
	size_t max = (size_t)field->max.value;
	const char *name;
	json_t *v;
	bool ok = true;

	if (size > max)
		return wrong(check, field->name, "too_large", "The environment has %zu bytes as JSON; the limit is %zu", size,
			     max);
	json_object_foreach ((json_t *)value, name, v)
		ok = valid_variable(check, name, v) && ok;
	return ok;
}

static bool check_length(const struct check *check, const struct field *f, const json_t *value)
{
	int64_t len = (int64_t)json_string_length(value);
	int64_t min = bound_value(check->rules, &f->min), max = bound_value(check->rules, &f->max);

	if (len < min)
		return wrong(check, f->name, "out_of_range", "%s must not be empty", f->name);
	if (len > max)
		return wrong(check, f->name, "too_large", "%s has %lld bytes; the limit is %lld", f->name, (long long)len,
			     (long long)max);
	if (f->kind == TEXT && strlen(json_string_value(value)) != (size_t)len)
		return wrong(check, f->name, "invalid_value", "%s must not contain a NUL character", f->name);
	return true;
}

static bool check_number(const struct check *check, const struct field *f, const json_t *value)
{
	double scale = f->kind == MILLIS ? 1000 : 1;
	double number = json_number_value(value) * scale;
	int64_t min = bound_value(check->rules, &f->min), max = bound_value(check->rules, &f->max);

	/* Rounded first: 0.1 as a binary fraction must not miss a bound of 0.1. */
	if (!(round(number) >= (double)min && round(number) <= (double)max))
		return wrong(check, f->name, "out_of_range", "%s must be from %g to %g", f->name, (double)min / scale,
			     (double)max / scale);
	return true;
}

static bool has_type(const struct field *f, const json_t *value)
{
	switch (f->kind) {
	case TEXT:
	case CODE:
		return json_is_string(value);
	case WHOLE:
		return json_is_integer(value);
	case MILLIS:
		return json_is_number(value);
	case MAP:
		return json_is_object(value);
	}
	return false;
}

static const char *type_name(enum kind kind)
{
	static const char *const names[] = {
		[TEXT] = "string", [WHOLE] = "integer", [MILLIS] = "number", [CODE] = "string", [MAP] = "object"};

	return names[kind];
}

static bool check_value(const struct check *check, const struct field *f, const json_t *value)
{
	if (!has_type(f, value))
		return wrong(check, f->name, "wrong_type", "%s must be of type %s", f->name, type_name(f->kind));
	if ((f->kind == TEXT || f->kind == CODE) && !check_length(check, f, value))
		return false;
	if ((f->kind == WHOLE || f->kind == MILLIS) && !check_number(check, f, value))
		return false;
	return f->valid == NULL || f->valid(check, f, value);
}

/* Puts a checked value where it belongs. */
static void store(const struct field *f, const json_t *value, struct function_input *input)
{
	void *member = (char *)input->spec + f->offset;

	switch (f->kind) {
	case CODE:
		input->code = json_string_value(value);
		input->code_len = json_string_length(value);
		return;
	case TEXT:
		mem_free(member);
		*(char **)member = mem_strdup(json_string_value(value));
		return;
	case WHOLE:
		*(int64_t *)member = json_integer_value(value);
		return;
	case MILLIS:
		*(int64_t *)member = llround(json_number_value(value) * 1000);
		return;
	case MAP:
		json_decref(*(json_t **)member);
		*(json_t **)member = json_incref((json_t *)value);
		return;
	}
}

/* NULL: none. */
static const char *default_text(const struct function_rules *rules, const struct field *f)
{
	return f->def_setting != 0 ? *(char *const *)((const char *)rules->conf + f->def_setting) : f->def_text;
}

static void store_default(const struct function_rules *rules, const struct field *f, struct spec *spec)
{
	void *member = (char *)spec + f->offset;

	if (f->kind == TEXT)
		*(char **)member = mem_strdup(default_text(rules, f) ?: "");
	else if (f->kind == MAP)
		*(json_t **)member = json_object();
	else if (f->kind != CODE)
		*(int64_t *)member = bound_value(rules, &f->def);
}

/* Where a body is silent: the current values, or the defaults. */
static struct spec *start_values(const struct function_rules *rules, const struct spec *current)
{
	struct spec *spec = NULL;

	if (current != NULL) {
		AUTO(json_decrefp) json_t *copy = spec_to_json(current);
		spec_from_json(copy, &spec, NULL);
		return spec;
	}
	spec = mem_alloc(sizeof(*spec));
	spec->function_id = mem_strdup("");
	spec->package_sha256 = mem_strdup("");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		store_default(rules, &fields[i], spec);
	return spec;
}

static const struct field *find_field(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

static void check_unknown(const struct check *check, const json_t *body)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)body, name, value)
		if (find_field(name) == NULL)
			wrong(check, name, "unknown_field", "Unknown field '%.64s'", name);
}

/* What a runtime cannot do. */
static void check_runtime(const struct check *check, const struct spec *spec)
{
	const struct driver *d = driver_find(spec->runtime);

	if (d == NULL) { /* an update of a function whose runtime was taken away, or a setting that names none */
		wrong(check, "runtime", "invalid_value", "Unknown runtime '%s'", spec->runtime);
		return;
	}
	if (spec->memory_limit_mb < d->least_memory_mb)
		wrong(check, "memory_limit_mb", "out_of_range", "%s needs a memory_limit_mb of at least %lld", d->name,
		      (long long)d->least_memory_mb);
}

/* Together with what others keep ready, and less than before is always allowed. */
static void check_sum(const struct check *check, const char *what, int64_t own, int64_t others, int64_t before, int64_t most)
{
	if (own <= before || own + others <= most)
		return;
	wrong(check, "min_warm", "out_of_range",
	      "min_warm of all functions together would keep %lld %s ready, %lld of them for this function; the limit is "
	      "%lld, so that requests have the rest. Lower min_warm of this or another function, or raise "
	      "pool.min_warm_percent",
	      (long long)(own + others), what, (long long)own, (long long)most);
}

static void check_min_warm(const struct check *check, const struct spec *spec)
{
	const struct function_rules *r = check->rules;

	if (spec->min_warm > spec->max_concurrency)
		wrong(check, "min_warm", "out_of_range", "min_warm must not exceed max_concurrency, which is %lld",
		      (long long)spec->max_concurrency);
	check_sum(check, "sandboxes", spec->min_warm, r->others.sandboxes, r->before.sandboxes, conf_warm_sandboxes(r->conf));
	check_sum(check, "MB", spec->min_warm * spec->memory_limit_mb, r->others.memory_mb, r->before.memory_mb,
		  conf_warm_memory_mb(r->conf));
}

/* Rules that concern more than one field, of an input whose fields are good. */
static void check_together(const struct check *check, const struct spec *current, struct function_input *input)
{
	struct spec *spec = input->spec;
	const struct language *l = language_find(check->rules->languages, spec->language);

	if (l == NULL) { /* an update of a function whose language was taken away */
		wrong(check, "language", "invalid_value", "The language '%s' is no longer available", spec->language);
		return;
	}
	if (spec->handler[0] == '\0') {
		mem_free(&spec->handler);
		spec->handler = mem_strdup(l->default_handler);
	}
	if (spec->memory_limit_mb < l->min_memory_mb)
		wrong(check, "memory_limit_mb", "out_of_range", "%s needs a memory_limit_mb of at least %lld", l->name,
		      (long long)l->min_memory_mb);
	check_runtime(check, spec);
	check_min_warm(check, spec);
	if (current != NULL && input->code == NULL && strcmp(current->language, spec->language) != 0)
		wrong(check, "code", "required", "A change of language needs new code; send code too");
}

int function_input_parse(const struct function_rules *rules, const json_t *body, const struct spec *current,
			 struct function_input *input, json_t *errors)
{
	struct check check = {.rules = rules, .errors = errors, .start = json_array_size(errors)};
	AUTO(function_input_clear) struct function_input parsed = {.spec = start_values(rules, current)};

	for (const struct field *f = fields; f < fields + ARRAY_SIZE(fields); f++) {
		const json_t *value = json_object_get(body, f->name);
		if (value == NULL && f->required && current == NULL)
			wrong(&check, f->name, "required", "%s is missing", f->name);
		else if (value != NULL && check_value(&check, f, value))
			store(f, value, &parsed);
	}
	check_unknown(&check, body);
	if (json_array_size(errors) == check.start)
		check_together(&check, current, &parsed);
	if (json_array_size(errors) > check.start)
		return -1;
	*input = parsed;
	parsed = (struct function_input){0};
	return 0;
}

void function_input_clear(struct function_input *input)
{
	spec_free(&input->spec);
	*input = (struct function_input){0};
}

static json_t *limit_value(const struct function_rules *rules, const struct field *f, const struct bound *b)
{
	int64_t value = bound_value(rules, b);

	return f->kind == MILLIS ? json_real((double)value / 1000) : json_integer(value);
}

static json_t *field_values(const struct function_rules *rules, const struct field *f)
{
	json_t *list = json_array();

	for (size_t i = 0; f->values != NULL && f->values(i) != NULL; i++)
		json_array_append_new(list, json_string(f->values(i)));
	if (f->valid == valid_language)
		for (const struct language *l = rules->languages; l != NULL; l = l->next)
			json_array_append_new(list, json_string(l->name));
	return list;
}

static json_t *field_limits(const struct function_rules *rules, const struct field *f)
{
	bool is_number = f->kind == WHOLE || f->kind == MILLIS;
	json_t *o = json_pack("{s:s, s:b}", "type", type_name(f->kind), "required", f->required);
	AUTO(json_decrefp) json_t *values = field_values(rules, f);

	if (f->min.from != NO_BOUND)
		json_object_set_new(o, is_number ? "min" : "min_bytes", limit_value(rules, f, &f->min));
	if (f->max.from != NO_BOUND)
		json_object_set_new(o, is_number ? "max" : "max_bytes", limit_value(rules, f, &f->max));
	if (is_number)
		json_object_set_new(o, "default", limit_value(rules, f, &f->def));
	if (default_text(rules, f) != NULL)
		json_object_set_new(o, "default", json_string(default_text(rules, f)));
	if (json_array_size(values) > 0)
		json_object_set(o, "values", values);
	return o;
}

json_t *function_input_limits(const struct function_rules *rules)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		json_object_set_new(all, fields[i].name, field_limits(rules, &fields[i]));
	return all;
}
