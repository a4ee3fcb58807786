/*
 * Reads the body of a POST or PUT of a function: checks it with the rules (control/functions/function_rules.h), and fills in
 * the fields that it does not contain. Up to FUNCTION_INPUT_ERRORS_MAX mistakes are reported, not only the first.
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_INPUT_H
#define CONTROL_FUNCTIONS_FUNCTION_INPUT_H

#include <jansson.h>
#include <stddef.h>

#include "control/functions/function_rules.h"
#include "ipc/spec.h"

struct function_input {
	struct spec *spec; /* owned; the caller sets function_id, version and package_sha256 */
	const char *code;  /* points into the body; NULL: not given, which is allowed only in an update */
	size_t code_len;
};
void function_input_clear(struct function_input *input); /* destructor for AUTO */

/*
 * current: the stored version, whose values apply to fields that the body does not contain; NULL for a new function, which gets
 * the defaults. Mistakes are appended to errors (control/functions/function_input_error.h); -1 if there are any.
 */
int function_input_parse(const struct function_rules *rules, const json_t *body, const struct spec *current,
			 struct function_input *input, json_t *errors);

#endif
