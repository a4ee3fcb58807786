/* The mistakes in a client's description of a function: an array of {"field", "code", "message"}, the `errors` of the answer.
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_INPUT_ERROR_H
#define CONTROL_FUNCTIONS_FUNCTION_INPUT_ERROR_H

#include <jansson.h>
#include <stdarg.h>

#include "base/defs.h"

/* Further mistakes are not reported, so that an answer does not become larger than its request. */
#define FUNCTION_INPUT_ERRORS_MAX 20

/* The codes of mistakes: X(NAME, code). Programs compare the code, so it never changes. The API's description lists them. */
#define MISTAKES(X)                                                                                                            \
	X(REQUIRED, required)                                                                                                  \
	X(WRONG_TYPE, wrong_type)                                                                                              \
	X(INVALID_VALUE, invalid_value)                                                                                        \
	X(OUT_OF_RANGE, out_of_range)                                                                                          \
	X(TOO_LARGE, too_large)                                                                                                \
	X(UNKNOWN_FIELD, unknown_field)                                                                                        \
	X(RESERVED, reserved)                                                                                                  \
	X(NO_EFFECT, no_effect)                                                                                                \
	X(NOT_FOUND, not_found)                                                                                                \
	X(NO_STORED_VALUE, no_stored_value)                                                                                    \
	X(DOES_NOT_COMPILE, does_not_compile)                                                                                  \
	X(HANDLER_NOT_FOUND, handler_not_found)

enum mistake {
#define MISTAKE(NAME, code) MISTAKE_##NAME,
	MISTAKES(MISTAKE)
#undef MISTAKE
		MISTAKE_COUNT
};

const char *mistake_name(enum mistake code); /* "wrong_type" */

/* Appends a mistake, unless there are FUNCTION_INPUT_ERRORS_MAX already. field may have any bytes and any length. */
void function_input_error(json_t *errors, const char *field, enum mistake code, const char *message, ...) PRINTF_LIKE(4, 5);

#endif
