/*
 * Prints the numbers of poolmgr/stats.h as tables for people. Missing numbers are left out or shown as 0; they are never an
 * error.
 */
#ifndef STATUS_REPORT_H
#define STATUS_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

/* master: the master's process id. */
void report_print(const json_t *stats, pid_t master, FILE *out);

#endif
