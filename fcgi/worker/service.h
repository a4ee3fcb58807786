/*
 * A service is what distinguishes the two kinds of workers, which share worker_main.c. Each has its own directory with its part
 * of the HTTP API, so that a program with one service need not be linked with the libraries of the other. Deploy, query and
 * health workers are control workers for certain requests.
 */
#ifndef WORKER_SERVICE_H
#define WORKER_SERVICE_H

#include <stddef.h>

#include "base/err.h"
#include "http/route.h"
#include "ipc/inherited.h"

struct worker;

struct service {
	const struct route *routes;
	size_t route_count;
	int (*begin)(struct worker *worker, struct err *err); /* called when the rest of the worker is ready */
	void (*after_request)(struct worker *worker);         /* after each request; may be NULL */
	void (*end)(struct worker *worker);                   /* called also when begin has failed or was not called */
};

/* Runs the worker until it ends; returns the exit status. */
int worker_run(const struct inherited *inherited, const struct service *service);

#endif
