/*
 * What tells the two kinds of workers apart; the process is the same (worker_main.c). Each has a room of its own, with its part
 * of the HTTP API and what it needs for it, so that a program with one of them need not have the libraries of the other.
 * Deploy, query and health workers are control workers for requests of their own.
 */
#ifndef WORKER_SERVICE_H
#define WORKER_SERVICE_H

#include <stddef.h>

#include "base/err.h"
#include "http/route.h"
#include "ipc/heritage.h"

struct worker;

struct service {
	const struct route *routes;
	size_t route_count;
	int (*begin)(struct worker *worker, struct err *err); /* the rest of the worker is there */
	void (*rest)(struct worker *worker);                  /* after each request; may be NULL */
	void (*end)(struct worker *worker);                   /* also when begin has failed, or was not called */
};

/* Runs the process to its end; returns the exit status. */
int worker_run(const struct heritage *heritage, const struct service *service);

#endif
