#include "control/functions/function_fields.h"

#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "runtimes/driver.h"

/* How the words in ipc/function.def read here. */
#define TEXT        .type = FUNCTION_TEXT
#define ID          .type = FUNCTION_ID
#define HASH        .type = FUNCTION_HASH
#define NAME        .type = FUNCTION_NAME
#define LANGUAGE    .type = FUNCTION_LANGUAGE
#define RUNTIME     .type = FUNCTION_RUNTIME
#define HANDLER     .type = FUNCTION_HANDLER
#define WHOLE       .type = FUNCTION_WHOLE
#define THOUSANDTHS .type = FUNCTION_THOUSANDTHS
#define VARIABLES   .type = FUNCTION_VARIABLES
#define ONE_OF(...)                                                                                                            \
	.type = FUNCTION_ONE_OF, .words = (const char *const[])                                                                \
	{                                                                                                                      \
		__VA_ARGS__, NULL                                                                                              \
	}

#define NONE                   .from = FUNCTION_VALUE_NONE
#define NUMBER(n)              .from = FUNCTION_VALUE_NUMBER, .number = n
#define WORD(w)                .from = FUNCTION_VALUE_WORD, .word = w
#define NODE_CPUS              .from = FUNCTION_VALUE_NODE_CPUS
#define NODE_MEMORY            .from = FUNCTION_VALUE_NODE_MEMORY
#define SETTING(section_key)   .setting = offsetof(struct conf, section_key), .setting_name = #section_key
#define CONF(section_key)      .from = FUNCTION_VALUE_CONF, SETTING(section_key)
#define CONF_WORD(section_key) .from = FUNCTION_VALUE_CONF_WORD, SETTING(section_key)

const struct function_field function_fields[] = {
#define FUNCTION_GIVEN(field, member, kind, given_type, says)                                                                  \
	{.name = #field, given_type, .when = FUNCTION_GIVEN, .offset = offsetof(struct spec, member), .unit = "", .text = says},
#define FUNCTION_FIELD(field, member, kind, table, its_type, how, least, most, otherwise, measure, says)                       \
	{.name = #field,                                                                                                       \
	 its_type,                                                                                                             \
	 .when = FUNCTION_##how,                                                                                               \
	 .offset = offsetof(struct spec, member),                                                                              \
	 .min = {least},                                                                                                       \
	 .max = {most},                                                                                                        \
	 .by_default = {otherwise},                                                                                            \
	 .unit = measure,                                                                                                      \
	 .text = says},
#define FUNCTION_CODE(field, least, most, says)                                                                                \
	{.name = #field,                                                                                                       \
	 .type = FUNCTION_SOURCE,                                                                                              \
	 .when = FUNCTION_REQUIRED,                                                                                            \
	 .min = {least},                                                                                                       \
	 .max = {most},                                                                                                        \
	 .unit = "",                                                                                                           \
	 .text = says},
#include "ipc/function.def"
	{.name = NULL},
};

const struct function_field *function_field_find(const char *name)
{
	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		if (f->when != FUNCTION_GIVEN && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

bool function_field_is_number(const struct function_field *f)
{
	return f->type == FUNCTION_WHOLE || f->type == FUNCTION_THOUSANDTHS;
}

bool function_field_is_text(const struct function_field *f)
{
	return f->type != FUNCTION_VARIABLES && !function_field_is_number(f);
}

const char *function_field_type(const struct function_field *f)
{
	switch (f->type) {
	case FUNCTION_WHOLE:
		return "integer";
	case FUNCTION_THOUSANDTHS:
		return "number";
	case FUNCTION_VARIABLES:
		return "object";
	default:
		return "string";
	}
}

const char *function_field_word(const struct function_field *f, size_t i)
{
	if (f->type == FUNCTION_RUNTIME)
		return i < driver_count ? drivers[i]->name : NULL;
	return f->words != NULL ? f->words[i] : NULL;
}

int64_t function_value_number(const struct function_value *v, const struct conf *conf)
{
	switch (v->from) {
	case FUNCTION_VALUE_CONF:
		return *(const int64_t *)((const char *)conf + v->setting);
	case FUNCTION_VALUE_NODE_CPUS:
		return MAX(sysconf(_SC_NPROCESSORS_ONLN), 1) * 1000;
	case FUNCTION_VALUE_NODE_MEMORY:
		return MIN(conf->limits_memory_max_mb, conf_memory_budget_mb(conf));
	default:
		return v->number;
	}
}

const char *function_value_word(const struct function_value *v, const struct conf *conf)
{
	if (v->from == FUNCTION_VALUE_CONF_WORD && conf != NULL)
		return *(char *const *)((const char *)conf + v->setting);
	return v->word;
}

json_t *function_field_number(const struct function_field *f, int64_t number)
{
	return f->type == FUNCTION_THOUSANDTHS ? json_real((double)number / 1000) : json_integer(number);
}

json_t *function_field_value(const struct function_field *f, const struct spec *spec)
{
	const void *member = (const char *)spec + f->offset;

	if (f->type == FUNCTION_SOURCE)
		return NULL;
	if (f->type == FUNCTION_VARIABLES)
		return json_incref(*(json_t *const *)member);
	if (function_field_is_number(f))
		return function_field_number(f, *(const int64_t *)member);
	return json_string(*(char *const *)member);
}
