/*
 * What a function may say: of each field by itself, and of those that depend on each other. What is wrong is appended to errors
 * (control/functions/function_input_error.h).
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

/* What min_warm keeps ready. */
struct function_warm {
	int64_t sandboxes, memory_mb;
};

/* What they depend on. */
struct function_rules {
	const struct conf *conf;
	const struct language *languages;
	struct function_warm others; /* all other functions together */
	struct function_warm before; /* this one until now: so much it may go on having */
};

/* Whether value will do for this field. */
bool function_rules_allow(const struct function_rules *rules, const struct function_field *field, const json_t *value,
			  json_t *errors);

/* Checks what concerns more than one field, of a spec whose fields are good by themselves, or were when they were stored. */
void function_rules_check(const struct function_rules *rules, const struct spec *spec, json_t *errors);

#endif
