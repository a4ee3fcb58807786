/* How long metrics are kept: the settings [retention]. */
#ifndef COLLECTOR_RETENTION_H
#define COLLECTOR_RETENTION_H

#include "base/err.h"
#include "conf/conf.h"
#include "db/db.h"

/* Drops data that is older than the settings allow. Errors as in db/db.h. */
int retention_apply(struct db *db, const struct conf *conf, struct err *err);

#endif
