/*
 * The directories of berthd on disk, and their owners:
 *
 *   <run_dir>               root; all users may pass through
 *   <state_dir>             root; all users may pass through
 *   <state_dir>/sandboxes   poolmgr alone, as for cache/ and the file uids
 *   <state_dir>/spool       the collector; invoke workers may make files and remove their own, but not list them
 *
 * Files of another user, which remain after a change of settings or of Berth's version, are handed over, except the package
 * cache: a cache that others could write to is not used any more.
 */
#ifndef MASTER_RESOURCES_LAYOUT_H
#define MASTER_RESOURCES_LAYOUT_H

#include "base/err.h"
#include "conf/conf.h"
#include "master/resources/identity.h"

/*
 * Makes run_dir (mode 0755, parents too) unless it exists, and returns a descriptor of it. If others could write to it, it
 * belongs to root alone from then on.
 */
int layout_run_dir(const struct conf *conf, const struct identity *id, struct err *err);

/*
 * The same for state_dir and its contents. shared: the previous berthd uses it too, perhaps as other users, who keep their
 * files until layout_settle; otherwise everything is settled at once.
 */
int layout_state_dir(const struct conf *conf, const struct identity *id, bool shared, struct err *err);

/*
 * No other berthd uses state_dir any more: hands all files to their owners. The time depends on the number of such files, which
 * is usually 0.
 */
int layout_settle(int state_dir_fd, const struct conf *conf, const struct identity *id, struct err *err);

#endif
