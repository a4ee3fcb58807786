#include "control/functions/function_rules.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/uuid.h"
#include "control/functions/environment.h"
#include "control/functions/function_input_error.h"
#include "runtimes/driver.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

/* The check of one value. */
struct check {
	const struct function_rules *rules;
	const struct function_field *field;
	const json_t *value;
	json_t *errors;
};

/* Appends a mistake. Its value is false, so that a check can return it. */
#define WRONG(check, code, ...) (function_input_error((check)->errors, (check)->field->name, code, __VA_ARGS__), false)

static bool valid_name(const struct check *check)
{
	const char *name = json_string_value(check->value);
	struct uuid u;

	if (strspn(name, LOWER DIGIT "-_") != strlen(name) || name[0] == '-' || name[0] == '_')
		return WRONG(check, MISTAKE_INVALID_VALUE,
			     "A name may contain only a-z, 0-9, '-' and '_', and must begin with a letter or a digit");
	if (uuid_parse(name, &u))
		return WRONG(check, MISTAKE_INVALID_VALUE, "A name must not look like an id (UUID)");
	return true;
}

static bool valid_language(const struct check *check)
{
	const char *name = json_string_value(check->value);
	AUTO(buf_free) struct buf known = {0};

	if (language_find(check->rules->languages, name) != NULL)
		return true;
	for (const struct language *l = check->rules->languages; l != NULL; l = l->next)
		buf_printf(&known, "%s%s", known.len ? ", " : "", l->name);
	return WRONG(check, MISTAKE_INVALID_VALUE, "Unknown language '%s'; available: %s", name, buf_str(&known));
}

/* For example "main.handler" or "pkg/mod.handler". What the parts mean depends on the language. */
static bool valid_handler(const struct check *check)
{
	const char *handler = json_string_value(check->value);
	const char *dot = strrchr(handler, '.');

	if (strspn(handler, LOWER UPPER DIGIT "_$-./") != strlen(handler) || handler[0] == '/' ||
	    strstr(handler, "..") != NULL || dot == NULL || dot == handler || dot[1] == '\0')
		return WRONG(check, MISTAKE_INVALID_VALUE,
			     "A handler must be 'file.function', for example main.handler or lib/api.handler");
	return true;
}

static bool valid_word(const struct check *check)
{
	AUTO(buf_free) struct buf known = {0};
	const char *word;

	for (size_t i = 0; (word = function_field_word(check->field, i)) != NULL; i++) {
		if (strcmp(word, json_string_value(check->value)) == 0)
			return true;
		buf_printf(&known, "%s%s", known.len ? ", " : "", word);
	}
	return WRONG(check, MISTAKE_INVALID_VALUE, "%s must be one of: %s", check->field->name, buf_str(&known));
}

static bool valid_variable(const char *name, const json_t *value, json_t *errors)
{
	char path[160];
	const struct function_field variable = {.name = path};
	const struct check check = {.field = &variable, .errors = errors};
	const char *why, *instead = environment_instead_of(name, &why);

	snprintf(path, sizeof(path), "environment.%.128s", name);
	if (name[0] == '\0' || isdigit((unsigned char)name[0]) || strspn(name, LOWER UPPER DIGIT "_") != strlen(name))
		return WRONG(&check, MISTAKE_INVALID_VALUE,
			     "A variable's name may contain only letters, digits and '_', and must not begin with a digit");
	if (strncmp(name, "BERTH_", 6) == 0)
		return WRONG(&check, MISTAKE_RESERVED, "Names that begin with BERTH_ are reserved for Berth");
	if (instead != NULL)
		return WRONG(&check, MISTAKE_NO_EFFECT, "%s %s. Instead: %s", name, why, instead);
	if (!json_is_string(value))
		return WRONG(&check, MISTAKE_WRONG_TYPE, "The value of a variable must be a string");
	if (strlen(json_string_value(value)) != json_string_length(value))
		return WRONG(&check, MISTAKE_INVALID_VALUE, "The value of a variable must not contain a NUL character");
	return true;
}

static bool valid_variables(const struct check *check)
{
	size_t size = json_dumpb(check->value, NULL, 0, JSON_COMPACT);
	size_t max = (size_t)function_value_number(&check->field->max, check->rules->conf);
	const char *name;
	json_t *v;
	bool ok = true;

	if (size > max)
		return WRONG(check, MISTAKE_TOO_LARGE, "The environment has %zu bytes as JSON; the limit is %zu", size, max);
	json_object_foreach ((json_t *)check->value, name, v)
		ok = valid_variable(name, v, check->errors) && ok;
	return ok;
}

static bool valid_length(const struct check *check)
{
	const struct function_field *f = check->field;
	int64_t len = (int64_t)json_string_length(check->value);
	int64_t min = function_value_number(&f->min, check->rules->conf);
	int64_t max = function_value_number(&f->max, check->rules->conf);

	if (len < min)
		return WRONG(check, MISTAKE_OUT_OF_RANGE, "%s must not be empty", f->name);
	if (len > max)
		return WRONG(check, MISTAKE_TOO_LARGE, "%s has %lld bytes; the limit is %lld", f->name, (long long)len,
			     (long long)max);
	if (f->type != FUNCTION_SOURCE && strlen(json_string_value(check->value)) != (size_t)len)
		return WRONG(check, MISTAKE_INVALID_VALUE, "%s must not contain a NUL character", f->name);
	return true;
}

static bool valid_number(const struct check *check)
{
	const struct function_field *f = check->field;
	double scale = f->type == FUNCTION_THOUSANDTHS ? 1000 : 1;
	double number = json_number_value(check->value) * scale;
	int64_t min = function_value_number(&f->min, check->rules->conf);
	int64_t max = function_value_number(&f->max, check->rules->conf);

	/* The number is rounded before it is compared, so that 0.1 as a binary fraction does not miss a bound of 0.1. */
	if (!(round(number) >= (double)min && round(number) <= (double)max))
		return WRONG(check, MISTAKE_OUT_OF_RANGE, "%s must be from %g to %g", f->name, (double)min / scale,
			     (double)max / scale);
	return true;
}

static bool has_type(const struct function_field *f, const json_t *value)
{
	switch (f->type) {
	case FUNCTION_WHOLE:
		return json_is_integer(value);
	case FUNCTION_THOUSANDTHS:
		return json_is_number(value);
	case FUNCTION_VARIABLES:
		return json_is_object(value);
	default:
		return json_is_string(value);
	}
}

/* The check of each type, in addition to that of a text's length. */
static bool (*const valid[])(const struct check *check) = {
	[FUNCTION_NAME] = valid_name,          [FUNCTION_LANGUAGE] = valid_language,   [FUNCTION_HANDLER] = valid_handler,
	[FUNCTION_RUNTIME] = valid_word,       [FUNCTION_ONE_OF] = valid_word,         [FUNCTION_WHOLE] = valid_number,
	[FUNCTION_THOUSANDTHS] = valid_number, [FUNCTION_VARIABLES] = valid_variables,
};

bool function_rules_allow(const struct function_rules *rules, const struct function_field *field, const json_t *value,
			  json_t *errors)
{
	const struct check check = {.rules = rules, .field = field, .value = value, .errors = errors};

	if (!has_type(field, value))
		return WRONG(&check, MISTAKE_WRONG_TYPE, "%s must be of type %s", field->name, function_field_type(field));
	if (function_field_is_text(field) && !valid_length(&check))
		return false;
	return valid[field->type] == NULL || valid[field->type](&check);
}

/* ---- More than one field ---- */

static void check_memory(const struct spec *spec, const char *who, int64_t least_mb, json_t *errors)
{
	if (spec->memory_limit_mb < least_mb)
		function_input_error(errors, "memory_limit_mb", MISTAKE_OUT_OF_RANGE,
				     "%s needs a memory_limit_mb of at least %lld", who, (long long)least_mb);
}

/* Also an update of a function whose version is no longer available. */
static void check_language_version(const struct language *l, const struct spec *spec, json_t *errors)
{
	AUTO(buf_free) struct buf known = {0};

	if (language_version_find(l, spec->language_version) != NULL)
		return;
	for (const struct language_version *v = l->versions; v != NULL; v = v->next)
		buf_printf(&known, "%s%s", known.len ? ", " : "", v->name);
	function_input_error(errors, "language_version", MISTAKE_INVALID_VALUE, "There is no version '%s' of %s; available: %s",
			     spec->language_version, l->name, buf_str(&known));
}

/* Checks the requirements of the runtime. */
static void check_runtime(const struct spec *spec, json_t *errors)
{
	const struct driver *d = driver_find(spec->runtime);

	if (d == NULL) /* an update of a function whose runtime no longer exists, or a wrong setting of the default runtime */
		function_input_error(errors, "runtime", MISTAKE_INVALID_VALUE, "Unknown runtime '%s'", spec->runtime);
	else
		check_memory(spec, d->name, d->least_memory_mb, errors);
}

/* Checks the sum of this function and all others. A function may always keep as much as before. */
static void check_sum(json_t *errors, const char *what, int64_t own, int64_t others, int64_t before, int64_t most)
{
	if (own <= before || own + others <= most)
		return;
	function_input_error(errors, "min_warm", MISTAKE_OUT_OF_RANGE,
			     "min_warm of all functions together would keep %lld %s ready, %lld of them for this function; the "
			     "limit is %lld, so that requests have the rest. Lower min_warm of this or another function, or "
			     "raise pool.min_warm_percent",
			     (long long)(own + others), what, (long long)own, (long long)most);
}

static void check_min_warm(const struct function_rules *r, const struct spec *spec, json_t *errors)
{
	if (spec->min_warm > spec->max_concurrency)
		function_input_error(errors, "min_warm", MISTAKE_OUT_OF_RANGE,
				     "min_warm must not exceed max_concurrency, which is %lld",
				     (long long)spec->max_concurrency);
	check_sum(errors, "sandboxes", spec->min_warm, r->others.sandboxes, r->before.sandboxes, conf_warm_sandboxes(r->conf));
	check_sum(errors, "MB", spec->min_warm * spec->memory_limit_mb, r->others.memory_mb, r->before.memory_mb,
		  conf_warm_memory_mb(r->conf));
}

void function_rules_check(const struct function_rules *rules, const struct spec *spec, json_t *errors)
{
	const struct language *l = language_find(rules->languages, spec->language);

	if (l == NULL) { /* an update of a function whose language is no longer available */
		function_input_error(errors, "language", MISTAKE_INVALID_VALUE, "The language '%s' is no longer available",
				     spec->language);
		return;
	}
	check_language_version(l, spec, errors);
	check_memory(spec, l->name, l->min_memory_mb, errors);
	check_runtime(spec, errors);
	check_min_warm(rules, spec, errors);
}
