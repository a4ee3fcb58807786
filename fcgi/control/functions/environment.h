/*
 * A function's variables as a client sees them: the value of one whose name makes it a secret (base/secret.h) is
 * ENVIRONMENT_MASK. A client that reads a function, changes it and sends it back sends the mask, which then stands for the
 * value that is stored.
 */
#ifndef CONTROL_FUNCTIONS_ENVIRONMENT_H
#define CONTROL_FUNCTIONS_ENVIRONMENT_H

#include <jansson.h>

#define ENVIRONMENT_MASK "***"

/* A new reference; environment: an object of strings, which stays as it is. */
json_t *environment_masked(const json_t *environment);

/*
 * Puts what is stored in the place of each mask. environment: what a client sent, of any type; stored: NULL when nothing is.
 * A mask that stands for nothing is a mistake, appended to errors.
 */
void environment_unmask(json_t *environment, const json_t *stored, json_t *errors);

#endif
