/*
 * What a client may say about a function: one table of fields, used to check a body, to fill in what it leaves out and to
 * answer GET /limits. Every mistake in a body is reported, not only the first, up to FUNCTION_INPUT_ERRORS_MAX.
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_INPUT_H
#define CONTROL_FUNCTIONS_FUNCTION_INPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "conf/language.h"
#include "ipc/spec.h"

#define FUNCTION_INPUT_ERRORS_MAX 20

struct function_input {
	struct spec *spec; /* owned; function_id, version and package_sha256 are the caller's business */
	const char *code;  /* inside the body; NULL: not given, which only an update may */
	size_t code_len;
};
void function_input_clear(struct function_input *input); /* destructor for AUTO */

/* What min_warm keeps ready. */
struct function_warm {
	int64_t sandboxes, memory_mb;
};

struct function_rules {
	const struct conf *conf;
	const struct language *languages;
	struct function_warm others; /* all other functions together */
	struct function_warm before; /* this one until now: so much it may go on having */
};

/*
 * Checks a body. current: what is stored, whose values stay where the body says nothing; NULL for a new function, which gets
 * the defaults. Mistakes are appended to errors as {"field", "code", "message"}; -1 when there are any.
 */
int function_input_parse(const struct function_rules *rules, const json_t *body, const struct spec *current,
			 struct function_input *input, json_t *errors);

/* Each field with its type, bounds, default and values. A new reference. */
json_t *function_input_limits(const struct function_rules *rules);

/* Appends one mistake, for checks made elsewhere. */
void function_input_error(json_t *errors, const char *field, const char *code, const char *message, ...) PRINTF_LIKE(4, 5);

#endif
