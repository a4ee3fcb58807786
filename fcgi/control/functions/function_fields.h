/*
 * What the API knows of a function: the rows of ipc/function.def, for checking a body, for answers, for GET /limits, for JSON
 * schemas. Nothing is checked here.
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_FIELDS_H
#define CONTROL_FUNCTIONS_FUNCTION_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "ipc/spec.h"

enum function_type {
	/* Text: min and max are lengths in bytes. */
	FUNCTION_TEXT,
	FUNCTION_ID,
	FUNCTION_HASH,
	FUNCTION_NAME,
	FUNCTION_LANGUAGE,
	FUNCTION_RUNTIME,
	FUNCTION_HANDLER,
	FUNCTION_ONE_OF,
	FUNCTION_SOURCE, /* is packed, not kept: no member of struct spec */
	/* Numbers. */
	FUNCTION_WHOLE,
	FUNCTION_THOUSANDTHS, /* kept, as min and max are, in thousandths */
	/* An object of texts: max is its size as JSON. */
	FUNCTION_VARIABLES,
};

/* A bound or a default: a constant, a setting, or what the node has. */
struct function_value {
	enum {
		FUNCTION_VALUE_NONE,
		FUNCTION_VALUE_NUMBER,
		FUNCTION_VALUE_WORD,
		FUNCTION_VALUE_CONF,
		FUNCTION_VALUE_CONF_WORD,
		FUNCTION_VALUE_NODE_CPUS,
		FUNCTION_VALUE_NODE_MEMORY,
	} from;
	int64_t number;
	const char *word;
	size_t setting;           /* its offset in struct conf */
	const char *setting_name; /* "section_key" */
};

struct function_field {
	const char *name;
	enum function_type type;
	enum {
		FUNCTION_GIVEN,    /* by Berth: no body may say it */
		FUNCTION_REQUIRED, /* of a new function */
		FUNCTION_OPTIONAL,
		FUNCTION_LIMIT, /* optional, and shown among the limits in force */
	} when;
	size_t offset; /* in struct spec */
	struct function_value min, max, by_default;
	const char *const *words; /* FUNCTION_ONE_OF: all there are, then NULL */
	const char *unit, *text;
};

/* In the order of ipc/function.def, which is that of what is wrong in an answer. The one whose name is NULL is the last. */
extern const struct function_field function_fields[];

/* Of those that a body may say; NULL: there is none of that name. */
const struct function_field *function_field_find(const char *name);

bool function_field_is_number(const struct function_field *field);
bool function_field_is_text(const struct function_field *field);

/* "string", "integer", "number" or "object". */
const char *function_field_type(const struct function_field *field);

/* The words it may be one of, by their number; NULL behind the last one. The languages' are not known here. */
const char *function_field_word(const struct function_field *field, size_t i);

/* 0 where there is none. */
int64_t function_value_number(const struct function_value *value, const struct conf *conf);

/* NULL where there is none. conf may be NULL: then only what is constant counts. */
const char *function_value_word(const struct function_value *value, const struct conf *conf);

/* As the API shows a number of this field: new reference. */
json_t *function_field_number(const struct function_field *field, int64_t number);

/* What spec says, as the API shows it: new reference. NULL for the source code, which spec does not have. */
json_t *function_field_value(const struct function_field *field, const struct spec *spec);

#endif
