/*
 * Who the children run as: looked up once at the start, so that no name service stands between a crash and its repair.
 * Without root there is nothing to switch to, and everybody runs as the user who started berthd.
 */
#ifndef MASTER_IDENTITY_H
#define MASTER_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "conf/conf.h"

#define IDENTITY_MAX_GROUPS 64

struct identity {
	bool can_switch; /* we are root; the fields below are set */
	char *user, *home;
	uid_t uid;
	gid_t gid;
	gid_t groups[IDENTITY_MAX_GROUPS + 1]; /* supplementary groups, never Docker's; one place is free for it */
	int group_count;
	bool has_docker_group;
	gid_t docker_gid;
	gid_t socket_gid; /* nginx's */
};

/* Fails when a name in the configuration does not exist, or would give root or Docker to those who parse HTTP. */
int identity_resolve(const struct conf *conf, struct identity *id, struct err *err);
void identity_free(struct identity *id); /* destructor for AUTO */

/*
 * Becomes that user for good, with Docker's group or without, and checks that there is no way back.
 */
int identity_assume(const struct identity *id, bool with_docker, struct err *err);

/* Stays root, without groups; what it executes has this one capability and can get no other. */
int identity_keep_root(unsigned capability, struct err *err);

#endif
