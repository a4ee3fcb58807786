/* The mistakes in a client's description of a function: an array of {"field", "code", "message"}, the `errors` of the answer.
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_INPUT_ERROR_H
#define CONTROL_FUNCTIONS_FUNCTION_INPUT_ERROR_H

#include <jansson.h>
#include <stdarg.h>

#include "base/defs.h"

/* Further mistakes are not reported, so that an answer does not become larger than its request. */
#define FUNCTION_INPUT_ERRORS_MAX 20

/* Appends a mistake, unless there are FUNCTION_INPUT_ERRORS_MAX already. field may have any bytes and any length. */
void function_input_error(json_t *errors, const char *field, const char *code, const char *message, ...) PRINTF_LIKE(4, 5);

#endif
