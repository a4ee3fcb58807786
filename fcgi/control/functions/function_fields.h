/*
 * The rows of ipc/function.def as a table for the API: for checking a request's body, for answers, for GET /limits and for JSON
 * schemas. This file checks nothing.
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
	FUNCTION_SOURCE, /* goes into the package; it has no member in struct spec */
	/* Numbers. */
	FUNCTION_WHOLE,
	FUNCTION_THOUSANDTHS, /* stored in thousandths, as min and max are */
	/* An object of texts: max is the maximum size of its JSON. */
	FUNCTION_VARIABLES,
};

/* A bound or a default: a constant, a setting, or the capacity of the node. */
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
	size_t setting;           /* offset of the setting in struct conf */
	const char *setting_name; /* "section_key" */
};

struct function_field {
	const char *name;
	enum function_type type;
	enum {
		FUNCTION_GIVEN,    /* set by Berth: a request may not contain it */
		FUNCTION_REQUIRED, /* a new function must have it in its request */
		FUNCTION_OPTIONAL,
		FUNCTION_LIMIT, /* optional, and shown in `limits` of answers */
	} when;
	size_t offset; /* in struct spec */
	struct function_value min, max, by_default;
	const char *const *words; /* FUNCTION_ONE_OF: all possible values, then NULL */
	const char *unit, *text;
};

/* In the order of ipc/function.def, in which answers list mistakes. The last element has the name NULL. */
extern const struct function_field function_fields[];

/* Finds a field that a request may contain, by its name. NULL: there is none. */
const struct function_field *function_field_find(const char *name);

bool function_field_is_number(const struct function_field *field);
bool function_field_is_text(const struct function_field *field);

/* "string", "integer", "number" or "object". */
const char *function_field_type(const struct function_field *field);

/* The i-th word that the field may have as its value; NULL after the last one. The names of languages are not known here. */
const char *function_field_word(const struct function_field *field, size_t i);

/* The value as a number; 0 if there is none. */
int64_t function_value_number(const struct function_value *value, const struct conf *conf);

/* The value as a word; NULL if there is none. conf may be NULL: then settings have no value. */
const char *function_value_word(const struct function_value *value, const struct conf *conf);

/* A number of this field as the API shows it; a new reference. */
json_t *function_field_number(const struct function_field *field, int64_t number);

/* The value of this field in spec, as the API shows it; a new reference. NULL for the source code, which spec does not have. */
json_t *function_field_value(const struct function_field *field, const struct spec *spec);

#endif
