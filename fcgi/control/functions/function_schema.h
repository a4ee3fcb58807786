/*
 * A function's fields as JSON schemas (2020-12), for the description of the API. The schemas hold for every installation:
 * values that depend on settings, languages or the node are described in words, and GET /limits has them.
 */
#ifndef CONTROL_FUNCTIONS_FUNCTION_SCHEMA_H
#define CONTROL_FUNCTIONS_FUNCTION_SCHEMA_H

#include <jansson.h>

#include "control/functions/function_fields.h"

/*
 * The schema of one field: type, bounds, default and values if they are constant, and a description with the unit. readOnly:
 * Berth sets the field; writeOnly: no answer contains it. A new reference.
 */
json_t *function_schema(const struct function_field *field);

#endif
