/* Functions for tests of their storage. */
#ifndef UNIT_DB_FUNCTION_RIG_H
#define UNIT_DB_FUNCTION_RIG_H

#include "db/db_functions.h"
#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

/* The caller owns what these return. */
char *sha256_of(const char *archive);
struct spec *make_spec(const char *name, const char *archive);

/* Stores a function and returns its id. */
struct uuid create_function(struct fixture *f, const char *name, const char *archive);

/* Reads the stored version; the caller owns it. */
struct spec *current_spec(struct fixture *f, const char *ref);
long count_packages(void);

#endif
