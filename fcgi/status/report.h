/* The numbers of poolmgr/stats.h as tables for people. What is missing in them is left out or 0: never a failure. */
#ifndef STATUS_REPORT_H
#define STATUS_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

/* master: its process id. */
void report_print(const json_t *stats, pid_t master, FILE *out);

#endif
