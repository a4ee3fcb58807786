/* `berthd --status`: asks the running instance in the same way as its workers do, and prints the answer for people. */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include <jansson.h>

#include "base/err.h"
#include "conf/conf.h"

/*
 * The numbers of poolmgr about itself, the pool and all processes (poolmgr/stats.h), as a new reference. err->code is EACCES
 * when this user may not ask.
 */
int status_ask(const struct conf *conf, json_t **stats, struct err *err);

#endif
