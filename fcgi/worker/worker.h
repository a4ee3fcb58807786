/* The objects that a handler may use: one struct per worker process, made by worker_main.c. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/language.h"
#include "ipc/inherited.h"
#include "ipc/scoreboard.h"

struct db;
struct invocation;
struct lease_client;
struct slow_timer;
struct service;
struct spool;

struct worker {
	const struct service *service;
	enum child_role role;
	const struct conf *conf;
	struct scoreboard *board;      /* shared with the master */
	struct slot *slot;             /* this process's own */
	struct tally *tally;           /* the same */
	struct slow_timer *slow_timer; /* of the current request */
	int lane;                      /* the lane of the current request */
	struct lease_client *poolmgr;
	struct invocation *invocation;
	struct spool *spool;        /* invoke only */
	struct db *db;              /* all others */
	struct language *languages; /* all others */
};

#endif
