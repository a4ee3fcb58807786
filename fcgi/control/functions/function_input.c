#include "control/functions/function_input.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "control/functions/function_input_error.h"

static void set_text(char **member, const char *text)
{
	mem_free(member);
	*member = mem_strdup(text);
}

/* Stores a checked value in the spec. */
static void store(const struct function_field *f, const json_t *value, struct function_input *input)
{
	void *member = (char *)input->spec + f->offset;

	switch (f->type) {
	case FUNCTION_SOURCE:
		input->code = json_string_value(value);
		input->code_len = json_string_length(value);
		return;
	case FUNCTION_WHOLE:
		*(int64_t *)member = json_integer_value(value);
		return;
	case FUNCTION_THOUSANDTHS:
		*(int64_t *)member = llround(json_number_value(value) * 1000);
		return;
	case FUNCTION_VARIABLES:
		json_decref(*(json_t **)member);
		*(json_t **)member = json_incref((json_t *)value);
		return;
	default:
		set_text(member, json_string_value(value));
		return;
	}
}

static void store_default(const struct conf *conf, const struct function_field *f, struct spec *spec)
{
	void *member = (char *)spec + f->offset;
	const char *word = function_value_word(&f->by_default, conf);

	if (word != NULL)
		set_text(member, word);
	else if (function_field_is_number(f))
		*(int64_t *)member = function_value_number(&f->by_default, conf);
}

/* The values of fields that the body does not contain: the current ones, or the defaults. */
static struct spec *start_values(const struct conf *conf, const struct spec *current)
{
	struct spec *spec = NULL;

	if (current != NULL) {
		AUTO(json_decrefp) json_t *copy = spec_to_json(current);
		spec_from_json(copy, &spec, NULL);
		return spec;
	}
	spec = spec_new();
	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		store_default(conf, f, spec);
	return spec;
}

static void check_unknown(const json_t *body, json_t *errors)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)body, name, value)
		if (function_field_find(name) == NULL)
			function_input_error(errors, name, MISTAKE_UNKNOWN_FIELD, "Unknown field '%.64s'", name);
}

/* Defaults that depend on the language. Another language has other versions, so that of the one before does not apply. */
static void set_of_language(const struct function_rules *rules, const struct spec *current, const json_t *body,
			    struct spec *spec)
{
	const struct language *l = language_find(rules->languages, spec->language);
	bool other = current == NULL || strcmp(current->language, spec->language) != 0;

	if (l != NULL && spec->handler[0] == '\0')
		set_text(&spec->handler, l->default_handler);
	if (l != NULL && other && json_object_get(body, "language_version") == NULL)
		set_text(&spec->language_version, l->default_version->name);
}

/* Checks that the fields, each of which is valid, fit together. */
static void check_together(const struct function_rules *rules, const struct spec *current, const struct function_input *input,
			   json_t *errors)
{
	function_rules_check(rules, input->spec, errors);
	if (current != NULL && input->code == NULL && strcmp(current->language, input->spec->language) != 0)
		function_input_error(errors, "code", MISTAKE_REQUIRED, "A change of language needs new code; send code too");
}

int function_input_parse(const struct function_rules *rules, const json_t *body, const struct spec *current,
			 struct function_input *input, json_t *errors)
{
	size_t start = json_array_size(errors); /* mistakes found before */
	AUTO(function_input_clear) struct function_input parsed = {.spec = start_values(rules->conf, current)};

	for (const struct function_field *f = function_fields; f->name != NULL; f++) {
		const json_t *value = f->when != FUNCTION_GIVEN ? json_object_get(body, f->name) : NULL;
		if (value == NULL && f->when == FUNCTION_REQUIRED && current == NULL)
			function_input_error(errors, f->name, MISTAKE_REQUIRED, "%s is missing", f->name);
		else if (value != NULL && function_rules_allow(rules, f, value, errors))
			store(f, value, &parsed);
	}
	check_unknown(body, errors);
	set_of_language(rules, current, body, parsed.spec);
	if (json_array_size(errors) == start)
		check_together(rules, current, &parsed, errors);
	if (json_array_size(errors) > start)
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
