/* What the database refuses or cannot do, in the API's words. */
#ifndef API_DB_PROBLEM_H
#define API_DB_PROBLEM_H

#include "base/err.h"
#include "http/problem.h"

/* err: as in db/db.h and db/db_functions.h, and E2BIG: more than can be told at once. ref: the function's name or id, as the
 * client gave it. */
void db_problem(struct problem *problem, const struct err *err, const char *ref);

struct response;

/* Both at once. */
void db_problem_respond(struct response *response, const struct err *err, const char *ref);

#endif
