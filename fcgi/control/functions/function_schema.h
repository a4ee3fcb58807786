/*
 * A function's fields as JSON schemas (2020-12), for the description of the API. They say what holds in every installation:
 * what is up to settings, languages or the node is in their descriptions, and in GET /limits.
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_SCHEMA_H
#define CONTROL_FUNCTIONS_FUNCTION_SCHEMA_H

#include <jansson.h>

#include "control/functions/function_fields.h"

/*
 * Of one field: type, bounds, default and values where they are constant, and a description with the unit. readOnly: Berth sets
 * it; writeOnly: no answer has it. A new reference.
 */
json_t *function_schema(const struct function_field *field);

#endif
