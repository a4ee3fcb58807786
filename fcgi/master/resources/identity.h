/*
 * Who the children run as: looked up once at the start, so that no name service stands between a crash and its repair. Each
 * kind of child is a user of its own, so that one that was taken over can neither signal the others, nor attach to them, nor
 * write what is theirs. Without root there is nobody to switch to, and everybody runs as the user who started berthd.
 */
#ifndef MASTER_RESOURCES_IDENTITY_H
#define MASTER_RESOURCES_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/heritage.h"

#define IDENTITY_MAX_GROUPS 64

/* What a child may do beyond what its user may. */
enum privilege {
	PRIVILEGE_NONE,
	PRIVILEGE_DOCKER,  /* may open Docker's socket, and has the group of the invoke workers, to record as they do */
	PRIVILEGE_SPOOL,   /* has the group of the invoke workers, to read what they write */
	PRIVILEGE_CGROUPS, /* may write files of root's and kill any process; no other capability */
};

struct account {
	char *name, *home;
	uid_t uid;
	gid_t gid;
	gid_t groups[IDENTITY_MAX_GROUPS + 2]; /* supplementary groups, never Docker's; two places are free for others */
	int group_count;
};

struct identity {
	bool can_switch;                           /* we are root; the fields below are set */
	struct account accounts[CHILD_ROLE_COUNT]; /* each role's */
	bool has_docker_group;
	gid_t docker_gid;
	gid_t socket_gid; /* nginx's */
};

/* Fails when a name in the configuration does not exist, is there twice, or would give root or Docker to who must not have it.
 */
int identity_resolve(const struct conf *conf, struct identity *id, struct err *err);
void identity_free(struct identity *id); /* destructor for AUTO */

/*
 * Becomes that role's user for good, and checks that there is no way back. What it executes next keeps the privilege, and can
 * get no other.
 */
int identity_assume(const struct identity *id, enum child_role role, enum privilege privilege, struct err *err);

#endif
