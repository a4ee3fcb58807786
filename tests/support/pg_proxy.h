/*
 * Stands between libpq and a scratch PostgreSQL, and loses the connection at the first COMMIT, in one of the ways a network or
 * a server can. A process of its own; it ends with the test.
 */
#ifndef SUPPORT_PG_PROXY_H
#define SUPPORT_PG_PROXY_H

#include <sys/types.h>

#include "conf/conf.h"

enum pg_proxy_cut {
	PG_PROXY_BEFORE, /* the server never gets it: it rolls back */
	PG_PROXY_AFTER,  /* the server has done it, and its answer is lost */
	PG_PROXY_LATE,   /* the client's side breaks at once, and the server gets it half a second later */
	PG_PROXY_GONE,   /* as AFTER, and from then on nobody gets through */
};

struct pg_proxy {
	pid_t pid;
	char *dir;
};

/* conf, which leads to the server, leads to the proxy from now on. Whatever fails ends the test program. */
void pg_proxy_start(struct pg_proxy *proxy, struct conf *conf, enum pg_proxy_cut cut);
void pg_proxy_end(struct pg_proxy *proxy); /* also one that was never started */

#endif
