/*
 * A function's environment as clients see it: the value of a variable whose name marks it as a secret (base/secret.h) is
 * replaced by ENVIRONMENT_MASK. When a client reads a function, changes it and sends it back, the mask stands for the stored
 * value.
 *
 * A function gets its environment when its code is loaded, and the interpreter runs by then. Variables that only count when
 * that starts would be ignored, so they are refused. So are those with which Lambda is told how to log, which Berth does not
 * follow.
 */
#ifndef CONTROL_FUNCTIONS_ENVIRONMENT_H
#define CONTROL_FUNCTIONS_ENVIRONMENT_H

#include <jansson.h>

#define ENVIRONMENT_MASK "***"

/* Returns a masked copy; environment: an object of strings, which stays as it is. */
json_t *environment_masked(const json_t *environment);

/*
 * Replaces each mask by the stored value. environment: what a client sent, of any type; stored: NULL when nothing is stored. A
 * mask without a stored value is an error, which is appended to errors.
 */
void environment_unmask(json_t *environment, const json_t *stored, json_t *errors);

/*
 * What to do instead of setting this variable, if it would have no effect, and why it has none: a sentence without its subject.
 * NULL: it has an effect.
 */
const char *environment_instead_of(const char *name, const char **why);

#endif
