#include "master/resources/identity.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

static void replace(char **field, const char *value)
{
	mem_free(field);
	*field = mem_strdup(value);
}

/* Names every Unix has. */
static struct conf *some_conf(void)
{
	struct conf *conf;
	struct err err;

	assert_ok(conf_load_file(NULL, &conf, &err));
	replace(&conf->invoke_user, "nobody");
	replace(&conf->control_user, "bin");
	replace(&conf->follow_user, "sys");
	replace(&conf->pool_user, "mail");
	replace(&conf->collector_user, "games");
	replace(&conf->warden_user, "man");
	replace(&conf->docker_group, "daemon");
	replace(&conf->fcgi_socket_group, "tty");
	return conf;
}

static void without_root_nothing_is_looked_up(void **state)
{
	AUTO(conf_free) struct conf *conf = some_conf();
	AUTO(identity_free) struct identity id = {0};
	struct err err;

	(void)state;
	if (geteuid() == 0)
		return;
	replace(&conf->invoke_user, "no-such-user");
	assert_ok(identity_resolve(conf, &id, &err));
	assert_false(id.can_switch);
}

static void names_become_numbers(void **state)
{
	AUTO(conf_free) struct conf *conf = some_conf();
	AUTO(identity_free) struct identity id = {0};
	struct err err;

	(void)state;
	if (geteuid() != 0)
		return;
	assert_ok(identity_resolve(conf, &id, &err));
	assert_true(id.can_switch);
	assert_int_equal(id.accounts[CHILD_INVOKE].uid, getpwnam("nobody")->pw_uid);
	assert_int_equal(id.accounts[CHILD_INVOKE].gid, getpwnam("nobody")->pw_gid);
	assert_int_equal(id.accounts[CHILD_WARDEN].uid, getpwnam("man")->pw_uid);
	assert_int_equal(id.docker_gid, getgrnam("daemon")->gr_gid);
	assert_int_equal(id.socket_gid, getgrnam("tty")->gr_gid);
}

static void names_that_do_not_exist_are_named(void **state)
{
	AUTO(conf_free) struct conf *conf = some_conf();
	AUTO(identity_free) struct identity id = {0};
	struct err err;

	(void)state;
	if (geteuid() != 0)
		return;
	replace(&conf->warden_user, "no-such-user");
	assert_fails(identity_resolve(conf, &id, &err), "warden.user: there is no user 'no-such-user'");
	replace(&conf->fcgi_socket_group, "no-such-group");
	assert_fails(identity_resolve(conf, &id, &err), "fcgi.socket_group: there is no group 'no-such-group'");
	replace(&conf->docker_group, "no-such-group");
	assert_fails(identity_resolve(conf, &id, &err), "docker.group: there is no group 'no-such-group'");
}

static void root_and_dockers_primary_group_are_refused(void **state)
{
	AUTO(conf_free) struct conf *conf = some_conf();
	AUTO(identity_free) struct identity id = {0};
	struct err err;

	(void)state;
	if (geteuid() != 0)
		return;
	replace(&conf->docker_group, getgrgid(getpwnam("nobody")->pw_gid)->gr_name);
	assert_fails(identity_resolve(conf, &id, &err), "is docker.group");
	replace(&conf->invoke_user, "root");
	assert_fails(identity_resolve(conf, &id, &err), "invoke.user: 'root' is root");
}

static void two_kinds_of_processes_cannot_be_the_same_user(void **state)
{
	AUTO(conf_free) struct conf *conf = some_conf();
	AUTO(identity_free) struct identity id = {0};
	struct err err;

	(void)state;
	if (geteuid() != 0)
		return;
	replace(&conf->pool_user, conf->invoke_user);
	assert_fails(identity_resolve(conf, &id, &err), "pool.user: 'nobody' is invoke.user, too");
}

/* What a process may do that has become the user of a role, as it says itself. */
struct assumed {
	int rc;
	uid_t uid;
	gid_t gid;
	bool has_docker, has_spool, can_go_back, is_at_home;
	uint32_t effective, permitted, ambient, bounding;
};

static uint32_t capabilities(const char *status, const char *which)
{
	const char *at = strstr(status, which);

	return at == NULL ? UINT32_MAX : (uint32_t)strtoull(at + strlen(which), NULL, 16);
}

static void look_at_capabilities(struct assumed *a)
{
	AUTO(mem_free) char *status = NULL;

	if (fd_read_file("/proc/self/status", 65536, &status, NULL, NULL) < 0)
		return;
	a->effective = capabilities(status, "CapEff:\t");
	a->permitted = capabilities(status, "CapPrm:\t");
	a->ambient = capabilities(status, "CapAmb:\t");
	a->bounding = capabilities(status, "CapBnd:\t");
}

static struct assumed try_assume(const struct identity *id, enum child_role role, enum privilege privilege)
{
	struct assumed a = {.rc = -1};
	gid_t groups[IDENTITY_MAX_GROUPS + 1];
	int said[2], status;

	assert_int_equal(pipe(said), 0);
	pid_t pid = fork();
	if (pid == 0) {
		a.rc = identity_assume(id, role, privilege, NULL);
		a.uid = geteuid();
		a.gid = getegid();
		int count = getgroups(ARRAY_SIZE(groups), groups);
		for (int i = 0; i < count; i++) {
			a.has_docker = a.has_docker || groups[i] == id->docker_gid;
			a.has_spool = a.has_spool || groups[i] == id->accounts[CHILD_INVOKE].gid;
		}
		look_at_capabilities(&a);
		a.can_go_back = setuid(0) == 0;
		a.is_at_home = strcmp(getenv("HOME"), id->accounts[role].home) == 0;
		_exit(write(said[1], &a, sizeof(a)) == (ssize_t)sizeof(a) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(said[0], &a, sizeof(a)), sizeof(a));
	close(said[0]);
	close(said[1]);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.uid, id->accounts[role].uid);
	assert_int_equal(a.gid, id->accounts[role].gid);
	assert_true(a.is_at_home);
	assert_false(a.can_go_back);
	return a;
}

static void each_becomes_its_user_for_good_with_its_privilege_alone(void **state)
{
	const uint32_t wardens = 1u << CAP_KILL | 1u << CAP_DAC_OVERRIDE;
	AUTO(conf_free) struct conf *conf = some_conf();
	AUTO(identity_free) struct identity id = {0};
	struct err err;

	(void)state;
	if (geteuid() != 0)
		return;
	assert_ok(identity_resolve(conf, &id, &err));
	struct assumed control = try_assume(&id, CHILD_CONTROL, PRIVILEGE_NONE);
	assert_false(control.has_docker || control.has_spool);
	assert_int_equal(control.effective | control.permitted | control.ambient | control.bounding, 0);
	struct assumed poolmgr = try_assume(&id, CHILD_POOLMGR, PRIVILEGE_DOCKER);
	assert_true(poolmgr.has_docker && poolmgr.has_spool);
	assert_int_equal(poolmgr.effective | poolmgr.permitted | poolmgr.bounding, 0);
	struct assumed collector = try_assume(&id, CHILD_COLLECTOR, PRIVILEGE_SPOOL);
	assert_true(collector.has_spool && !collector.has_docker);
	struct assumed warden = try_assume(&id, CHILD_WARDEN, PRIVILEGE_CGROUPS);
	assert_false(warden.has_docker || warden.has_spool);
	assert_int_equal(warden.effective, wardens);
	assert_int_equal(warden.permitted, wardens);
	assert_int_equal(warden.ambient, wardens);
	assert_int_equal(warden.bounding, wardens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_root_nothing_is_looked_up),
		cmocka_unit_test(names_become_numbers),
		cmocka_unit_test(names_that_do_not_exist_are_named),
		cmocka_unit_test(root_and_dockers_primary_group_are_refused),
		cmocka_unit_test(two_kinds_of_processes_cannot_be_the_same_user),
		cmocka_unit_test(each_becomes_its_user_for_good_with_its_privilege_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
