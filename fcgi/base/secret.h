/* Decides by its name whether a function's environment variable is a secret. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>

bool secret_name(const char *name);

#endif
