#include "master/identity.h"

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "tests/unit/unit.h"

/* Names every Unix has. */
static struct conf *some_conf(void)
{
	struct conf *conf;
	struct err err;

	assert_ok(conf_load_file(NULL, &conf, &err));
	mem_free(&conf->master_user);
	mem_free(&conf->docker_group);
	mem_free(&conf->fcgi_socket_group);
	conf->master_user = mem_strdup("nobody");
	conf->docker_group = mem_strdup("daemon");
	conf->fcgi_socket_group = mem_strdup("tty");
	return conf;
}

static void replace(char **field, const char *value)
{
	mem_free(field);
	*field = mem_strdup(value);
}

static void without_root_nothing_is_looked_up(void **state)
{
	AUTO(conf_free) struct conf *conf = some_conf();
	AUTO(identity_free) struct identity id = {0};
	struct err err;

	(void)state;
	if (geteuid() == 0)
		return;
	replace(&conf->master_user, "no-such-user");
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
	assert_int_equal(id.uid, getpwnam("nobody")->pw_uid);
	assert_int_equal(id.gid, getpwnam("nobody")->pw_gid);
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
	replace(&conf->fcgi_socket_group, "no-such-group");
	assert_fails(identity_resolve(conf, &id, &err), "fcgi.socket_group: there is no group 'no-such-group'");
	replace(&conf->docker_group, "no-such-group");
	assert_fails(identity_resolve(conf, &id, &err), "docker.group: there is no group 'no-such-group'");
	replace(&conf->master_user, "no-such-user");
	assert_fails(identity_resolve(conf, &id, &err), "master.user: there is no user 'no-such-user'");
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
	replace(&conf->master_user, "root");
	assert_fails(identity_resolve(conf, &id, &err), "'root' is root");
}

/* In a process of its own: 0 when it has become the user for good, with Docker's group as wanted. */
static int try_assume(const struct identity *id, bool with_docker)
{
	gid_t groups[IDENTITY_MAX_GROUPS + 1];
	bool has_docker = false;
	int status;

	pid_t pid = fork();
	if (pid == 0) {
		if (identity_assume(id, with_docker, NULL) < 0 || geteuid() != id->uid || getegid() != id->gid)
			_exit(1);
		int count = getgroups(ARRAY_SIZE(groups), groups);
		for (int i = 0; i < count; i++)
			has_docker = has_docker || groups[i] == id->docker_gid;
		_exit(has_docker == with_docker && setuid(0) < 0 && strcmp(getenv("HOME"), id->home) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void only_who_is_meant_to_gets_dockers_group_and_nobody_gets_back(void **state)
{
	AUTO(conf_free) struct conf *conf = some_conf();
	AUTO(identity_free) struct identity id = {0};
	struct err err;

	(void)state;
	if (geteuid() != 0)
		return;
	assert_ok(identity_resolve(conf, &id, &err));
	assert_int_equal(try_assume(&id, false), 0);
	assert_int_equal(try_assume(&id, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_root_nothing_is_looked_up),
		cmocka_unit_test(names_become_numbers),
		cmocka_unit_test(names_that_do_not_exist_are_named),
		cmocka_unit_test(root_and_dockers_primary_group_are_refused),
		cmocka_unit_test(only_who_is_meant_to_gets_dockers_group_and_nobody_gets_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
