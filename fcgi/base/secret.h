/* Which of a function's variables are secrets, going by their names. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>

bool secret_name(const char *name);

#endif
