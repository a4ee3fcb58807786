#include "control/functions/environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "control/functions/function_input_error.h"

json_t *environment_masked(const json_t *environment)
{
	json_t *masked = json_copy((json_t *)environment);
	const char *name;
	json_t *value;

	json_object_foreach (masked, name, value)
		if (secret_name(name))
			json_object_set_new(masked, name, json_string(ENVIRONMENT_MASK));
	return masked;
}

static bool is_mask(const char *name, const json_t *value)
{
	return secret_name(name) && json_is_string(value) && strcmp(json_string_value(value), ENVIRONMENT_MASK) == 0;
}

void environment_unmask(json_t *environment, const json_t *stored, json_t *errors)
{
	const char *name;
	json_t *value;
	char field[160];

	json_object_foreach (environment, name, value) {
		if (!is_mask(name, value))
			continue;
		json_t *real = json_object_get(stored, name);
		if (real != NULL) {
			json_object_set(environment, name, real);
			continue;
		}
		snprintf(field, sizeof(field), "environment.%.128s", name);
		function_input_error(errors, field, MISTAKE_NO_STORED_VALUE,
				     ENVIRONMENT_MASK
				     " stands for the stored value, but none is stored; send the value itself");
	}
}
