#include "control/functions/function_schema.h"

#include <string.h>

#include "base/buf.h"

/* What a text may be, where that can be said in a pattern; a variable's name. */
#define NAME_PATTERN     "^[a-z0-9][a-z0-9_-]*$"
#define HANDLER_PATTERN  "^[A-Za-z0-9_$.-][A-Za-z0-9_$./-]*\\.[A-Za-z0-9_$/-]+$"
#define HASH_PATTERN     "^[0-9a-f]{64}$"
#define VARIABLE_PATTERN "^[A-Za-z_][A-Za-z0-9_]*$"

static void add_type(json_t *schema, const struct function_field *f)
{
	json_object_set_new(schema, "type", json_string(function_field_type(f)));
	switch (f->type) {
	case FUNCTION_ID:
		json_object_set_new(schema, "format", json_string("uuid"));
		return;
	case FUNCTION_HASH:
		json_object_set_new(schema, "pattern", json_string(HASH_PATTERN));
		return;
	case FUNCTION_NAME:
		json_object_set_new(schema, "pattern", json_string(NAME_PATTERN));
		return;
	case FUNCTION_HANDLER:
		json_object_set_new(schema, "pattern", json_string(HANDLER_PATTERN));
		return;
	case FUNCTION_VARIABLES:
		json_object_set_new(schema, "additionalProperties", json_pack("{s:s}", "type", "string"));
		json_object_set_new(schema, "propertyNames", json_pack("{s:s}", "pattern", VARIABLE_PATTERN));
		return;
	default:
		return;
	}
}

/* The bytes of a text are at least its characters, which is what a schema counts. */
static void add_bound(json_t *schema, const struct function_field *f, const struct function_value *v, const char *of_number,
		      const char *of_text)
{
	const char *name = function_field_is_number(f) ? of_number : of_text;

	if (v->from == FUNCTION_VALUE_NUMBER && f->type != FUNCTION_VARIABLES)
		json_object_set_new(schema, name, function_field_number(f, v->number));
}

static void add_default(json_t *schema, const struct function_field *f)
{
	if (f->by_default.from == FUNCTION_VALUE_NUMBER)
		json_object_set_new(schema, "default", function_field_number(f, f->by_default.number));
	else if (f->by_default.from == FUNCTION_VALUE_WORD)
		json_object_set_new(schema, "default", json_string(f->by_default.word));
	else if (f->type == FUNCTION_VARIABLES)
		json_object_set_new(schema, "default", json_object());
}

static void add_words(json_t *schema, const struct function_field *f)
{
	json_t *words = json_array();

	for (size_t i = 0; function_field_word(f, i) != NULL; i++)
		json_array_append_new(words, json_string(function_field_word(f, i)));
	if (json_array_size(words) > 0)
		json_object_set(schema, "enum", words);
	json_decref(words);
}

/* "limits_pids_max" is written `limits.pids_max`. */
static void tell_setting(struct buf *text, const char *what, const char *name)
{
	const char *key = strchr(name, '_') + 1;

	buf_printf(text, ". %s: `%.*s.%s`, a setting", what, (int)(key - 1 - name), name, key);
}

/* A bound or default that is not the same everywhere. */
static void tell_value(struct buf *text, const char *what, const struct function_value *v)
{
	if (v->from == FUNCTION_VALUE_CONF || v->from == FUNCTION_VALUE_CONF_WORD)
		tell_setting(text, what, v->setting_name);
	else if (v->from == FUNCTION_VALUE_NODE_CPUS)
		buf_printf(text, ". %s: the processors of the node", what);
	else if (v->from == FUNCTION_VALUE_NODE_MEMORY)
		buf_printf(text, ". %s: what the node has for sandboxes, or less (`limits.memory_max_mb`, a setting)", what);
}

static json_t *description(const struct function_field *f)
{
	AUTO(buf_free) struct buf text = {0};

	buf_add_str(&text, f->text);
	if (f->unit[0] != '\0')
		buf_printf(&text, ". Unit: %s", f->unit);
	tell_value(&text, "Maximum", &f->max);
	tell_value(&text, "Default", &f->by_default);
	return json_string(buf_str(&text));
}

json_t *function_schema(const struct function_field *f)
{
	json_t *schema = json_object();

	add_type(schema, f);
	add_bound(schema, f, &f->min, "minimum", "minLength");
	add_bound(schema, f, &f->max, "maximum", "maxLength");
	add_default(schema, f);
	add_words(schema, f);
	json_object_set_new(schema, "description", description(f));
	if (f->when == FUNCTION_GIVEN)
		json_object_set_new(schema, "readOnly", json_true());
	if (f->type == FUNCTION_SOURCE)
		json_object_set_new(schema, "writeOnly", json_true());
	return schema;
}
