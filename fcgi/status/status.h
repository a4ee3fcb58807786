/* `berthd --status`: asks the instance that runs, as its workers do, and prints what it says for people. */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include <jansson.h>

#include "base/err.h"
#include "conf/conf.h"

/*
 * What poolmgr says about itself, the pool and all processes (poolmgr/stats.h): a new reference. On failure err->code is EACCES
 * when this user may not ask.
 */
int status_ask(const struct conf *conf, json_t **stats, struct err *err);

#endif
