/*
 * The users that the children run as. They are looked up once at the start, so that no name service is needed to replace a
 * child. Each kind of child has its own user, so that a process that was taken over can neither signal the others, nor attach
 * to them, nor write to their files. If berthd is not started by root, all processes run as the user who started it.
 */
#ifndef MASTER_RESOURCES_IDENTITY_H
#define MASTER_RESOURCES_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/inherited.h"

#define IDENTITY_MAX_GROUPS 64

/* The rights of a child in addition to those of its user. */
enum privilege {
	PRIVILEGE_NONE,
	PRIVILEGE_DOCKER, /* may open Docker's socket, and has the group of the invoke workers, because it writes records too */
	PRIVILEGE_SPOOL,  /* has the group of the invoke workers, to read their records */
	PRIVILEGE_CGROUPS, /* may write root's files and kill any process; no other capability */
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
	struct account accounts[CHILD_ROLE_COUNT]; /* of each role */
	bool has_docker_group;
	gid_t docker_gid;
	gid_t socket_gid; /* the group of nginx */
};

/*
 * Fails if a name in the configuration does not exist, occurs twice, or would give root's rights or Docker to a process that
 * must not have them.
 */
int identity_resolve(const struct conf *conf, struct identity *id, struct err *err);
void identity_free(struct identity *id); /* destructor for AUTO */

/*
 * Becomes that role's user for good, and checks that there is no way back. The program that is executed next keeps the
 * privilege and cannot get another one.
 */
int identity_assume(const struct identity *id, enum child_role role, enum privilege privilege, struct err *err);

#endif
