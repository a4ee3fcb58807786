/*
 * Whether what the code answers is in the description of the API, openapi.json in the build directory: every member, at every
 * depth. The end-to-end tests compare types and values, too (tests/e2e/contract.py).
 */
#ifndef SUPPORT_DESCRIBED_H
#define SUPPORT_DESCRIBED_H

#include <jansson.h>

#include "http/problem.h"

/* The schema of components/schemas has all of json's members. */
void assert_described(const char *schema, const json_t *json);

/* The schema of its code has all of a problem's members. */
void assert_problem_described(const struct problem *problem);

/* The operation has the status, and its schema all of json's members; NULL: no JSON. What is no operation is not looked at. */
void assert_answer_described(const char *method, const char *uri, int status, const json_t *json);

/* The same of an answer as a worker writes it, with its headers. */
void assert_written_answer_described(const char *method, const char *uri, const char *answer);

#endif
