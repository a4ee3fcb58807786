#include "control/functions/function_limits.h"

#include "control/functions/function_fields.h"

static json_t *field_values(const struct function_field *f, const struct language *languages)
{
	json_t *list = json_array();

	for (size_t i = 0; function_field_word(f, i) != NULL; i++)
		json_array_append_new(list, json_string(function_field_word(f, i)));
	if (f->type == FUNCTION_LANGUAGE)
		for (const struct language *l = languages; l != NULL; l = l->next)
			json_array_append_new(list, json_string(l->name));
	return list;
}

static void add_number(json_t *limits, const char *name, const struct function_field *f, const struct function_value *v,
		       const struct conf *conf)
{
	if (v->from != FUNCTION_VALUE_NONE)
		json_object_set_new(limits, name, function_field_number(f, function_value_number(v, conf)));
}

static json_t *field_limits(const struct function_field *f, const struct conf *conf, const struct language *languages)
{
	bool is_number = function_field_is_number(f);
	const char *word = function_value_word(&f->by_default, conf);
	json_t *o = json_pack("{s:s, s:b}", "type", function_field_type(f), "required", f->when == FUNCTION_REQUIRED);
	AUTO(json_decrefp) json_t *values = field_values(f, languages);

	add_number(o, is_number ? "min" : "min_bytes", f, &f->min, conf);
	add_number(o, is_number ? "max" : "max_bytes", f, &f->max, conf);
	if (is_number)
		add_number(o, "default", f, &f->by_default, conf);
	if (word != NULL)
		json_object_set_new(o, "default", json_string(word));
	if (json_array_size(values) > 0)
		json_object_set(o, "values", values);
	return o;
}

json_t *function_limits(const struct conf *conf, const struct language *languages)
{
	json_t *all = json_object();

	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		if (f->when != FUNCTION_GIVEN)
			json_object_set_new(all, f->name, field_limits(f, conf, languages));
	return all;
}
