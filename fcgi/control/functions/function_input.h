/*
 * A body that says what a function is to be: checks it by the rules (control/functions/function_rules.h), and fills in what it
 * leaves out. Every mistake in a body is reported, not only the first, up to FUNCTION_INPUT_ERRORS_MAX.
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_INPUT_H
#define CONTROL_FUNCTIONS_FUNCTION_INPUT_H

#include <jansson.h>
#include <stddef.h>

#include "control/functions/function_rules.h"
#include "ipc/spec.h"

struct function_input {
	struct spec *spec; /* owned; function_id, version and package_sha256 are the caller's business */
	const char *code;  /* inside the body; NULL: not given, which only an update may */
	size_t code_len;
};
void function_input_clear(struct function_input *input); /* destructor for AUTO */

/*
 * current: what is stored, whose values stay where the body says nothing; NULL for a new function, which gets the defaults.
 * Mistakes are appended to errors (control/functions/function_input_error.h); -1 when there are any.
 */
int function_input_parse(const struct function_rules *rules, const json_t *body, const struct spec *current,
			 struct function_input *input, json_t *errors);

#endif
