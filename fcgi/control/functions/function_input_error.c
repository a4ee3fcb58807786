#include "control/functions/function_input_error.h"

#include <stdio.h>
#include <string.h>

#include "http/json_body.h"

/* Of a name that a client has invented, as it is told. */
#define FIELD_NAME_MAX 160

void function_input_error(json_t *errors, const char *field, const char *code, const char *message, ...)
{
	char text[512];
	va_list ap;

	if (json_array_size(errors) == FUNCTION_INPUT_ERRORS_MAX)
		return;
	va_start(ap, message);
	vsnprintf(text, sizeof(text), message, ap);
	va_end(ap);
	json_t *name = json_textn(field, json_text_cut(field, strlen(field), FIELD_NAME_MAX));
	json_array_append_new(errors, json_pack("{s:o, s:s, s:o}", "field", name, "code", code, "message", json_text(text)));
}
