#include "master/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"

static int find_group(const char *setting, const char *name, gid_t *gid, struct err *err)
{
	const struct group *group = getgrnam(name);

	if (group == NULL)
		return err_set(err, ENOENT, "%s: there is no group '%s'", setting, name);
	*gid = group->gr_gid;
	return 0;
}

static int find_user(const char *name, struct identity *id, struct err *err)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL)
		return err_set(err, ENOENT, "master.user: there is no user '%s'", name);
	if (user->pw_uid == 0)
		return err_set(err, EPERM, "master.user: '%s' is root", name);
	id->user = mem_strdup(user->pw_name);
	id->home = mem_strdup(user->pw_dir);
	id->uid = user->pw_uid;
	id->gid = user->pw_gid;
	return 0;
}

/* The user's groups without Docker's, whose members are root in all but name. */
static int find_groups(struct identity *id, struct err *err)
{
	gid_t groups[IDENTITY_MAX_GROUPS];
	int count = IDENTITY_MAX_GROUPS;

	if (getgrouplist(id->user, id->gid, groups, &count) < 0)
		return err_set(err, 0, "master.user: '%s' is in more than %d groups", id->user, IDENTITY_MAX_GROUPS);
	for (int i = 0; i < count; i++)
		if (!id->has_docker_group || groups[i] != id->docker_gid)
			id->groups[id->group_count++] = groups[i];
	if (id->has_docker_group && id->gid == id->docker_gid)
		return err_set(err, EPERM, "master.user: the primary group of '%s' is docker.group", id->user);
	return 0;
}

static int resolve(const struct conf *conf, struct identity *id, struct err *err)
{
	id->has_docker_group = conf->docker_group[0] != '\0';
	if (find_user(conf->master_user, id, err) < 0)
		return -1;
	if (id->has_docker_group && find_group("docker.group", conf->docker_group, &id->docker_gid, err) < 0)
		return -1;
	if (find_group("fcgi.socket_group", conf->fcgi_socket_group, &id->socket_gid, err) < 0)
		return -1;
	return find_groups(id, err);
}

int identity_resolve(const struct conf *conf, struct identity *id, struct err *err)
{
	AUTO(identity_free) struct identity found = {.can_switch = geteuid() == 0};

	if (found.can_switch && resolve(conf, &found, err) < 0)
		return -1;
	*id = found;
	found = (struct identity){0};
	return 0;
}

void identity_free(struct identity *id)
{
	mem_free(&id->user);
	mem_free(&id->home);
}

static int check_no_way_back(const struct identity *id, struct err *err)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) < 0 || real != id->uid || effective != id->uid || saved != id->uid)
		return err_set(err, EPERM, "user id is not %d in every place", (int)id->uid);
	if (setresuid(0, 0, 0) == 0 || seteuid(0) == 0)
		return err_set(err, EPERM, "root could be regained");
	return 0;
}

/* A program that root executes gets what is in the bounding set: capabilities(7). */
int identity_keep_root(unsigned capability, struct err *err)
{
	if (setgroups(0, NULL) < 0)
		return err_set(err, errno, "give up all groups");
	for (unsigned c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++)
		if (c != capability && prctl(PR_CAPBSET_DROP, c) < 0)
			return err_set(err, errno, "give up capability %u", c);
	return 0;
}

int identity_assume(const struct identity *id, bool with_docker, struct err *err)
{
	gid_t groups[IDENTITY_MAX_GROUPS + 1];
	int count = id->group_count;

	memcpy(groups, id->groups, sizeof(groups));
	if (with_docker && id->has_docker_group)
		groups[count++] = id->docker_gid;
	if (setgroups((size_t)count, groups) < 0 || setresgid(id->gid, id->gid, id->gid) < 0 ||
	    setresuid(id->uid, id->uid, id->uid) < 0)
		return err_set(err, errno, "become user '%s'", id->user);

	/* Libraries look for files of the user there. */
	if (setenv("HOME", id->home, 1) < 0 || setenv("USER", id->user, 1) < 0 || setenv("LOGNAME", id->user, 1) < 0)
		return err_set(err, errno, "environment of user '%s'", id->user);
	return check_no_way_back(id, err);
}
