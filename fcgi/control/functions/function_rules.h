/*
 * The rules for the fields of a function: for each field by itself, and for fields that depend on each other. Mistakes are
 * appended to errors (control/functions/function_input_error.h).
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_RULES_H
#define CONTROL_FUNCTIONS_FUNCTION_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/language.h"
#include "control/functions/function_fields.h"
#include "ipc/spec.h"

/* The sandboxes that min_warm keeps ready. */
struct function_warm {
	int64_t sandboxes, memory_mb;
};

/* What the rules depend on. */
struct function_rules {
	const struct conf *conf;
	const struct language *languages;
	struct function_warm others; /* all other functions together */
	struct function_warm before; /* the stored version of this function, which may always keep as much */
};

/* Whether value is valid for this field. */
bool function_rules_allow(const struct function_rules *rules, const struct function_field *field, const json_t *value,
			  json_t *errors);

/* Checks the rules for several fields of a spec. Each field is valid by itself, or was when it was stored. */
void function_rules_check(const struct function_rules *rules, const struct spec *spec, json_t *errors);

#endif
