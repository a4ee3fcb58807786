/*
 * The directories of berthd on the disk, and whose is what in them:
 *
 *   <run_dir>               root's; everybody may pass through
 *   <state_dir>             root's; everybody may pass through
 *   <state_dir>/sandboxes   poolmgr's alone, as are cache/ and the file uids
 *   <state_dir>/spool       the collector's; invoke workers may make files there and remove their own, but not list what there
 * is
 *
 * What is there and belongs to another user, because settings or a version of Berth have changed, is handed over, but for the
 * package cache: what others could write there is not used any more.
 */
#ifndef MASTER_RESOURCES_ESTATE_H
#define MASTER_RESOURCES_ESTATE_H

#include "base/err.h"
#include "conf/conf.h"
#include "master/resources/identity.h"

/*
 * Makes run_dir (mode 0755, parents too) unless it is there, and returns a descriptor of it. One that others could write is
 * root's alone from then on.
 */
int estate_run_dir(const struct conf *conf, const struct identity *id, struct err *err);

/*
 * The same for state_dir, and makes what is in there. shared: the berthd before uses it, too, perhaps as other users, who keep
 * what they had until estate_settle; else it is settled at once.
 */
int estate_state_dir(const struct conf *conf, const struct identity *id, bool shared, struct err *err);

/*
 * Nobody else uses state_dir any more: from now on all in there is its owners' alone. It takes as long as there are files to
 * hand over, as a rule none.
 */
int estate_settle(int state_dir_fd, const struct conf *conf, const struct identity *id, struct err *err);

#endif
