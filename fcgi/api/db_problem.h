/* Turns errors of the database into problems of the API. */
#ifndef API_DB_PROBLEM_H
#define API_DB_PROBLEM_H

#include "base/err.h"
#include "http/problem.h"

/*
 * err: an error as in db/db.h and db/db_functions.h, or E2BIG: the result is too large for one answer. ref: the function's name
 * or id, as the client gave it.
 */
void db_problem(struct problem *problem, const struct err *err, const char *ref);

struct response;

/* Makes the problem and answers with it. */
void db_problem_respond(struct response *response, const struct err *err, const char *ref);

#endif
