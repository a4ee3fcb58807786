/* What an installation allows a function to say: its part of GET /limits. */
#ifndef CONTROL_FUNCTIONS_FUNCTION_LIMITS_H
#define CONTROL_FUNCTIONS_FUNCTION_LIMITS_H

#include <jansson.h>

#include "conf/conf.h"
#include "conf/language.h"

/* Each field that a body may say, with its type, bounds, default and values. A new reference. */
json_t *function_limits(const struct conf *conf, const struct language *languages);

#endif
