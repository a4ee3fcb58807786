#include "master/resources/identity.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

/* The setting that names each role's user. */
static const struct {
	const char *setting;
	size_t offset; /* in struct conf */
} users[CHILD_ROLE_COUNT] = {
	[CHILD_INVOKE] = {"invoke.user", offsetof(struct conf, invoke_user)},
	[CHILD_DEPLOY] = {"control.user", offsetof(struct conf, control_user)},
	[CHILD_QUERY] = {"control.user", offsetof(struct conf, control_user)},
	[CHILD_HEALTH] = {"control.user", offsetof(struct conf, control_user)},
	[CHILD_CONTROL] = {"control.user", offsetof(struct conf, control_user)},
	[CHILD_FOLLOW] = {"follow.user", offsetof(struct conf, follow_user)},
	[CHILD_POOLMGR] = {"pool.user", offsetof(struct conf, pool_user)},
	[CHILD_COLLECTOR] = {"collector.user", offsetof(struct conf, collector_user)},
	[CHILD_WARDEN] = {"warden.user", offsetof(struct conf, warden_user)},
};

/* CAP_DAC_OVERRIDE, because cgroups belong to root; CAP_KILL, because their processes run as other users. The warden confines
 * both further. */
static const unsigned cgroup_capabilities[] = {CAP_DAC_OVERRIDE, CAP_KILL};

static int find_group(const char *setting, const char *name, gid_t *gid, struct err *err)
{
	const struct group *group = getgrnam(name);

	if (group == NULL)
		return err_set(err, ENOENT, "%s: there is no group '%s'", setting, name);
	*gid = group->gr_gid;
	return 0;
}

static int find_user(const char *setting, const char *name, struct account *a, struct err *err)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL)
		return err_set(err, ENOENT, "%s: there is no user '%s'", setting, name);
	if (user->pw_uid == 0)
		return err_set(err, EPERM, "%s: '%s' is root", setting, name);
	a->name = mem_strdup(user->pw_name);
	a->home = mem_strdup(user->pw_dir);
	a->uid = user->pw_uid;
	a->gid = user->pw_gid;
	return 0;
}

/* The user's groups, without Docker's, whose members are as powerful as root. */
static int find_groups(const struct identity *id, const char *setting, struct account *a, struct err *err)
{
	gid_t groups[IDENTITY_MAX_GROUPS];
	int count = IDENTITY_MAX_GROUPS;

	if (getgrouplist(a->name, a->gid, groups, &count) < 0)
		return err_set(err, 0, "%s: '%s' is in more than %d groups", setting, a->name, IDENTITY_MAX_GROUPS);
	for (int i = 0; i < count; i++)
		if (!id->has_docker_group || groups[i] != id->docker_gid)
			a->groups[a->group_count++] = groups[i];
	if (id->has_docker_group && a->gid == id->docker_gid)
		return err_set(err, EPERM, "%s: the primary group of '%s' is docker.group", setting, a->name);
	return 0;
}

static int resolve_account(const struct conf *conf, enum child_role role, struct identity *id, struct err *err)
{
	const char *setting = users[role].setting;
	const char *name = *(char *const *)((const char *)conf + users[role].offset);
	struct account *a = &id->accounts[role];

	assert(setting != NULL);
	if (find_user(setting, name, a, err) < 0 || find_groups(id, setting, a, err) < 0)
		return -1;
	for (int other = 0; other < (int)role; other++)
		if (id->accounts[other].uid == a->uid && strcmp(users[other].setting, setting) != 0)
			return err_set(err, EPERM, "%s: '%s' is %s, too, and has to be another one", setting, name,
				       users[other].setting);
	return 0;
}

static int resolve(const struct conf *conf, struct identity *id, struct err *err)
{
	id->has_docker_group = conf->docker_group[0] != '\0';
	if (id->has_docker_group && find_group("docker.group", conf->docker_group, &id->docker_gid, err) < 0)
		return -1;
	if (find_group("fcgi.socket_group", conf->fcgi_socket_group, &id->socket_gid, err) < 0)
		return -1;
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		if (resolve_account(conf, role, id, err) < 0)
			return -1;
	return 0;
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
	for (int role = 0; role < CHILD_ROLE_COUNT; role++) {
		mem_free(&id->accounts[role].name);
		mem_free(&id->accounts[role].home);
	}
}

static int check_no_way_back(const struct account *a, struct err *err)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) < 0 || real != a->uid || effective != a->uid || saved != a->uid)
		return err_set(err, EPERM, "user id is not %d in every place", (int)a->uid);
	if (setresuid(0, 0, 0) == 0 || seteuid(0) == 0)
		return err_set(err, EPERM, "root could be regained");
	return 0;
}

static bool is_kept(unsigned capability, enum privilege privilege)
{
	for (size_t i = 0; i < ARRAY_SIZE(cgroup_capabilities); i++)
		if (privilege == PRIVILEGE_CGROUPS && cgroup_capabilities[i] == capability)
			return true;
	return false;
}

/* Must run as root. No program that is executed from here on can get a capability that is not in the bounding set. */
static int bound_capabilities(enum privilege privilege, struct err *err)
{
	for (unsigned c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++)
		if (!is_kept(c, privilege) && prctl(PR_CAPBSET_DROP, c) < 0)
			return err_set(err, errno, "give up capability %u", c);
	if (privilege == PRIVILEGE_CGROUPS && prctl(PR_SET_KEEPCAPS, 1) < 0)
		return err_set(err, errno, "keep capabilities");
	return 0;
}

/* Must run as the new user. Keeps exactly those capabilities, across exec too (capabilities(7)). */
static int keep_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cgroup_capabilities); i++)
		data[0].permitted |= 1u << cgroup_capabilities[i];
	data[0].effective = data[0].inheritable = data[0].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		return err_set(err, errno, "set capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(cgroup_capabilities); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cgroup_capabilities[i], 0, 0) < 0)
			return err_set(err, errno, "keep capability %u", cgroup_capabilities[i]);
	return 0;
}

int identity_assume(const struct identity *id, enum child_role role, enum privilege privilege, struct err *err)
{
	const struct account *a = &id->accounts[role];
	gid_t groups[ARRAY_SIZE(a->groups)];
	int count = a->group_count;

	memcpy(groups, a->groups, sizeof(groups));
	if (privilege == PRIVILEGE_DOCKER && id->has_docker_group)
		groups[count++] = id->docker_gid;
	if (privilege == PRIVILEGE_DOCKER || privilege == PRIVILEGE_SPOOL)
		groups[count++] = id->accounts[CHILD_INVOKE].gid;
	if (bound_capabilities(privilege, err) < 0)
		return -1;
	if (setgroups((size_t)count, groups) < 0 || setresgid(a->gid, a->gid, a->gid) < 0 ||
	    setresuid(a->uid, a->uid, a->uid) < 0)
		return err_set(err, errno, "become user '%s'", a->name);
	if (privilege == PRIVILEGE_CGROUPS && keep_capabilities(err) < 0)
		return -1;

	/* Libraries look for the user's files there. */
	if (setenv("HOME", a->home, 1) < 0 || setenv("USER", a->name, 1) < 0 || setenv("LOGNAME", a->name, 1) < 0)
		return err_set(err, errno, "environment of user '%s'", a->name);
	return check_no_way_back(a, err);
}
