/* What is wrong with what a client says of a function: an array of {"field", "code", "message"}, in the answer's `errors`. */
#ifndef CONTROL_FUNCTIONS_FUNCTION_INPUT_ERROR_H
#define CONTROL_FUNCTIONS_FUNCTION_INPUT_ERROR_H

#include <jansson.h>
#include <stdarg.h>

#include "base/defs.h"

/* What is beyond is as wrong without being said: an answer must not become larger than what it answers. */
#define FUNCTION_INPUT_ERRORS_MAX 20

/* Appends one, unless there are so many already. field may be any bytes, and any number of them. */
void function_input_error(json_t *errors, const char *field, const char *code, const char *message, ...) PRINTF_LIKE(4, 5);

#endif
