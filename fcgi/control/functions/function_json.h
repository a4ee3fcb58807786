/* A function as the API shows it: new references. */
#ifndef CONTROL_FUNCTIONS_FUNCTION_JSON_H
#define CONTROL_FUNCTIONS_FUNCTION_JSON_H

#include <jansson.h>

#include "conf/conf.h"
#include "db/db_functions.h"

/* For lists: without code and environment. */
json_t *function_json(const struct db_function *function);

/* For a single function: with its environment, secrets masked, and all limits in force, including those of the installation. */
json_t *function_json_whole(const struct db_function *function, const struct conf *conf);

#endif
