#include "control/functions/function_input_error.h"

#include <stdio.h>
#include <string.h>

#include "http/json_text.h"

/* The maximum length of a client's field name in an error. */
#define FIELD_NAME_MAX 160

const char *mistake_name(enum mistake code)
{
	static const char *const names[MISTAKE_COUNT] = {
#define MISTAKE(NAME, code) [MISTAKE_##NAME] = #code,
		MISTAKES(MISTAKE)
#undef MISTAKE
	};

	return names[code];
}

void function_input_error(json_t *errors, const char *field, enum mistake code, const char *message, ...)
{
	char text[512];
	va_list ap;

	if (json_array_size(errors) == FUNCTION_INPUT_ERRORS_MAX)
		return;
	va_start(ap, message);
	vsnprintf(text, sizeof(text), message, ap);
	va_end(ap);
	json_t *name = json_textn(field, json_text_cut(field, strlen(field), FIELD_NAME_MAX));
	json_array_append_new(
		errors, json_pack("{s:o, s:s, s:o}", "field", name, "code", mistake_name(code), "message", json_text(text)));
}
