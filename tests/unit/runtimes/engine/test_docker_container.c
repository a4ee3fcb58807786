/* Each item of the hardening list is one test: what a sandbox's container must say to Docker. */
#include "tests/unit/unit.h"

#include <jansson.h>

#include "conf/conf.h"
#include "engine/docker.h"

static struct conf *conf;
static json_t *command, *container, *host;
static json_t *other; /* the same in gVisor and with a network */

static int set_up(void **state)
{
	(void)state;
	if (conf_load_file(NULL, &conf, NULL) < 0)
		return -1;
	command = json_pack("[s, s]", "python3", "/opt/berth/python/agent.py");
	struct docker_launch launch = {
		.sandbox_id = "00112233445566ff",
		.driver = driver_find("docker"),
		.image = "berth-python:bookworm",
		.command = command,
		.host_dir = "/state/sandboxes/00112233445566ff",
		.uid = 200007,
		.memory_mb = 128,
		.own_memory_mb = 16,
		.cpu_millis = 1500,
		.tmp_mb = 67,
		.tmp_inodes = 16381,
		.pids = 61,
		.nofile = 1021,
	};
	container = docker_container_json(conf, &launch);
	launch.driver = driver_find("gvisor");
	launch.egress = true;
	other = docker_container_json(conf, &launch);
	host = json_object_get(container, "HostConfig");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(container);
	json_decref(other);
	json_decref(command);
	conf_free(&conf);
	return 0;
}

/* The member of that name must be this JSON, to the letter. */
static void assert_member(json_t *of, const char *name, const char *wanted)
{
	json_t *member = json_object_get(of, name), *json = json_loads(wanted, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	if (!json_equal(member, json)) {
		char *text = json_dumps(member, JSON_ENCODE_ANY);
		fail_msg("%s is %s, not %s", name, text ? text : "absent", wanted);
	}
	json_decref(json);
}

static void all_capabilities_are_dropped_and_none_is_added(void **state)
{
	(void)state;
	assert_member(host, "CapDrop", "[\"ALL\"]");
	assert_null(json_object_get(host, "CapAdd"));
	assert_member(host, "Privileged", "false");
}

static void new_privileges_are_refused_and_the_default_seccomp_profile_stays(void **state)
{
	(void)state;
	assert_member(host, "SecurityOpt", "[\"no-new-privileges\"]");
}

static void the_root_file_system_is_read_only(void **state)
{
	(void)state;
	assert_member(host, "ReadonlyRootfs", "true");
}

static void it_runs_as_a_user_and_group_of_its_own_without_further_groups(void **state)
{
	(void)state;
	assert_member(container, "User", "\"200007:200007\"");
	assert_null(json_object_get(host, "GroupAdd"));
}

static void it_has_no_network(void **state)
{
	(void)state;
	assert_member(host, "NetworkMode", "\"none\"");
	assert_null(json_object_get(host, "PortBindings"));
}

static bool has_text(json_t *array, const char *text)
{
	json_t *one;
	size_t i;

	json_array_foreach (array, i, one)
		if (strcmp(json_string_value(one), text) == 0)
			return true;
	return false;
}

static void one_with_egress_is_on_none_of_dockers_networks_and_its_runtime_is_told_which_it_joins(void **state)
{
	(void)state;
	json_t *its_host = json_object_get(other, "HostConfig");
	assert_member(its_host, "NetworkMode", "\"none\"");
	assert_true(has_text(json_object_get(other, "Env"), "BERTH_EGRESS=default"));
	assert_member(its_host, "Dns", "[\"198.18.0.1\",\"198.18.0.2\",\"198.18.0.3\"]");
	assert_member(its_host, "DnsSearch", "[\".\"]");
	assert_null(json_object_get(its_host, "PortBindings"));
	assert_null(json_object_get(its_host, "Links"));
	assert_null(json_object_get(other, "NetworkingConfig"));
}

static void the_engine_is_told_the_runtime_of_the_driver(void **state)
{
	(void)state;
	assert_member(host, "Runtime", "\"runc\"");
	assert_member(json_object_get(other, "HostConfig"), "Runtime", "\"berth-runsc-egress\"");
}

static void nothing_but_runtime_network_host_threads_and_tmp_tells_the_runtimes_apart(void **state)
{
	json_t *copy = json_deep_copy(other), *its_host = json_object_get(copy, "HostConfig");

	(void)state;
	json_object_set(its_host, "Runtime", json_object_get(host, "Runtime"));
	json_object_set(copy, "Env", json_object_get(container, "Env"));
	for (size_t i = 0; i < 3; i++)
		json_object_del(its_host, ((const char *[]){"Dns", "DnsSearch", "DnsOptions"})[i]);
	assert_member(its_host, "PidsLimit", "308"); /* 64 + 4 * 61: gVisor's own threads */
	json_object_set(its_host, "PidsLimit", json_object_get(host, "PidsLimit"));
	json_object_set(its_host, "Mounts", json_object_get(host, "Mounts"));
	json_object_set(its_host, "Tmpfs", json_object_get(host, "Tmpfs"));
	assert_true(json_equal(copy, container));
	json_decref(copy);
}

static void what_tells_of_the_host_and_of_other_sandboxes_is_masked(void **state)
{
	json_t *paths = json_object_get(host, "MaskedPaths");
	/* What Docker Engine masks by itself, which a list takes the place of; and what it does not. */
	static const char *const wanted[] = {
		"/proc/asound",     "/proc/acpi",           "/proc/kcore",       "/proc/keys",     "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats",    "/proc/sched_debug", "/proc/scsi",     "/sys/firmware",
		"/proc/cmdline",    "/proc/loadavg",        "/proc/diskstats",   "/proc/pressure", "/proc/locks",
		"/proc/interrupts", "/proc/vmstat",         "/proc/zoneinfo",    "/proc/slabinfo", "/proc/key-users",
		"/proc/cgroups",    "/proc/sys/fs/file-nr", "/sys/block",        "/sys/class",     "/sys/kernel",
		"/sys/module",      "/sys/devices/virtual",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!has_text(paths, wanted[i]))
			fail_msg("%s is not masked", wanted[i]);
	/* What languages look at, and what is the sandbox's own. */
	static const char *const left[] = {"/proc/cpuinfo", "/proc/meminfo", "/proc/stat",
					   "/proc/self",    "/proc/sys",     "/sys/fs/cgroup"};
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		assert_false(has_text(paths, left[i]));
	assert_null(json_object_get(host, "ReadonlyPaths")); /* the engine's own list holds */
}

static void with_a_ca_file_one_with_egress_has_it_read_only_and_in_the_variables_that_name_it(void **state)
{
	struct docker_launch launch = {.sandbox_id = "00112233445566ff",
				       .driver = driver_find("docker"),
				       .image = "image",
				       .command = command,
				       .host_dir = "/state/sandboxes/x",
				       .egress = true};
	AUTO(conf_free) struct conf *with = NULL;

	(void)state;
	assert_int_equal(conf_load_file(NULL, &with, NULL), 0);
	free(with->sandbox_ca_file);
	with->sandbox_ca_file = strdup("/etc/ca.pem");
	for (int egress = 1; egress >= 0; egress--) {
		launch.egress = egress;
		json_t *one = docker_container_json(with, &launch);
		json_t *mounts = json_object_get(json_object_get(one, "HostConfig"), "Mounts"),
		       *env = json_object_get(one, "Env");
		assert_int_equal(json_array_size(mounts), 4 + egress);
		assert_int_equal(has_text(env, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"), egress);
		assert_int_equal(has_text(env, "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt"), egress);
		if (egress) {
			json_t *mount = json_array_get(mounts, 4);
			assert_member(mount, "Source", "\"/etc/ca.pem\"");
			assert_member(mount, "Target", "\"/etc/ssl/certs/ca-certificates.crt\"");
			assert_member(mount, "ReadOnly", "true");
		}
		json_decref(one);
	}
}

static void memory_and_swap_together_are_as_much_as_memory(void **state)
{
	(void)state;
	assert_member(host, "Memory", "150994944");
	assert_member(host, "MemorySwap", "150994944");
	assert_null(json_object_get(host, "OomKillDisable"));
}

static void the_cpu_quota_is_set(void **state)
{
	(void)state;
	assert_member(host, "NanoCpus", "1500000000");
}

static void the_number_of_processes_is_limited(void **state)
{
	(void)state;
	assert_member(host, "PidsLimit", "61");
}

static void open_files_core_dumps_and_file_sizes_are_limited(void **state)
{
	(void)state;
	assert_member(host, "Ulimits",
		      "[{\"Name\":\"nofile\",\"Soft\":1021,\"Hard\":1021},{\"Name\":\"nproc\",\"Soft\":61,\"Hard\":61},{"
		      "\"Name\":\"core\",\"Soft\":0,\"Hard\":0},"
		      "{\"Name\":\"fsize\",\"Soft\":70254592,\"Hard\":70254592}]");
}

static void tmp_is_limited_in_size_and_inodes(void **state)
{
	(void)state;
	assert_member(host, "Tmpfs", "{\"/tmp\":\"nosuid,nodev,exec,size=67m,nr_inodes=16381,mode=1777\"}");
}

static void where_the_runtimes_own_tmpfs_counts_no_files_tmp_is_one_of_the_hosts(void **state)
{
	json_t *its_host = json_object_get(other, "HostConfig"), *mounts = json_object_get(its_host, "Mounts");

	(void)state;
	assert_null(json_object_get(its_host, "Tmpfs"));
	assert_int_equal(json_array_size(mounts), 5);
	for (size_t i = 0; i < 4; i++)
		assert_true(json_equal(json_array_get(mounts, i), json_array_get(json_object_get(host, "Mounts"), i)));
	json_t *tmp = json_array_get(mounts, 4);
	assert_member(tmp, "Type", "\"volume\"");
	assert_member(tmp, "Target", "\"/tmp\"");
	assert_null(json_object_get(tmp, "Source")); /* so that it goes with its container */
	assert_member(
		tmp, "VolumeOptions",
		"{\"NoCopy\":true,\"Labels\":{\"berth.instance\":\"default\"},\"DriverConfig\":{\"Name\":\"local\",\"Options\":"
		"{"
		"\"type\":\"tmpfs\",\"device\":\"tmpfs\",\"o\":\"nosuid,nodev,exec,size=67m,nr_inodes=16381,mode=1777\"}}}");
}

static void docker_keeps_no_log(void **state)
{
	(void)state;
	assert_member(host, "LogConfig", "{\"Type\":\"none\"}");
}

static void ipc_is_private_and_shared_memory_is_limited_by_memory_alone(void **state)
{
	(void)state;
	assert_member(host, "IpcMode", "\"private\"");
	assert_member(host, "ShmSize", "134217728");
}

static void it_shares_no_namespace_with_the_host(void **state)
{
	(void)state;
	assert_member(host, "CgroupnsMode", "\"private\"");
	assert_null(json_object_get(host, "PidMode"));
	assert_null(json_object_get(host, "UTSMode"));
	assert_null(json_object_get(host, "UsernsMode"));
}

static void an_init_process_reaps_what_the_function_leaves_behind(void **state)
{
	(void)state;
	assert_member(host, "Init", "false");
}

static void docker_never_starts_it_again(void **state)
{
	(void)state;
	assert_member(host, "RestartPolicy", "{\"Name\":\"no\"}");
}

static void it_carries_the_labels_of_instance_and_sandbox(void **state)
{
	(void)state;
	assert_member(container, "Labels", "{\"berth.instance\":\"default\",\"berth.sandbox\":\"00112233445566ff\"}");
}

static void its_only_mounts_are_its_own_files_and_the_runtimes_all_read_only(void **state)
{
#define OWN "/state/sandboxes/00112233445566ff"
	const struct {
		const char *source, *target;
	} wanted[] = {{OWN "/berth", "/berth"},
		      {OWN "/passwd", "/etc/passwd"},
		      {OWN "/group", "/etc/group"},
		      {conf->sandbox_runtimes_dir, "/opt/berth"}};
	size_t i;
	json_t *mount;

	(void)state;
	json_t *mounts = json_object_get(host, "Mounts");
	assert_int_equal(json_array_size(mounts), ARRAY_SIZE(wanted));
	json_array_foreach (mounts, i, mount) {
		assert_member(mount, "Type", "\"bind\"");
		assert_member(mount, "ReadOnly", "true");
		assert_member(mount, "BindOptions", "{\"Propagation\":\"rprivate\"}");
		assert_string_equal(json_string_value(json_object_get(mount, "Source")), wanted[i].source);
		assert_string_equal(json_string_value(json_object_get(mount, "Target")), wanted[i].target);
	}
	assert_null(json_object_get(host, "Binds"));
	assert_null(json_object_get(host, "Devices"));
	assert_null(json_object_get(container, "Volumes"));
}

static void it_runs_the_launcher_whatever_the_image_would_run(void **state)
{
	(void)state;
	assert_member(container, "Image", "\"berth-python:bookworm\"");
	assert_member(container, "Entrypoint", "[]");
	assert_member(container, "Cmd", "[\"/opt/berth/launcher\",\"python3\",\"/opt/berth/python/agent.py\"]");
	assert_member(container, "WorkingDir", "\"/tmp\"");
	assert_member(container, "Healthcheck", "{\"Test\":[\"NONE\"]}");
}

static void its_environment_says_nothing_of_the_host(void **state)
{
	(void)state;
	assert_member(container, "Env",
		      "[\"PATH=/usr/local/bin:/usr/bin:/bin\",\"HOME=/tmp\",\"USER=sandbox\",\"LOGNAME=sandbox\","
		      "\"LANG=C.UTF-8\"]");
}

static void its_host_name_leads_to_itself(void **state)
{
	(void)state;
	assert_member(container, "Hostname", "\"sandbox\"");
	assert_member(host, "ExtraHosts", "[\"sandbox:127.0.0.1\"]");
}

static void the_command_given_is_left_as_it_was(void **state)
{
	(void)state;
	assert_int_equal(json_array_size(command), 2);
	assert_int_equal(command->refcount, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_capabilities_are_dropped_and_none_is_added),
		cmocka_unit_test(new_privileges_are_refused_and_the_default_seccomp_profile_stays),
		cmocka_unit_test(the_root_file_system_is_read_only),
		cmocka_unit_test(it_runs_as_a_user_and_group_of_its_own_without_further_groups),
		cmocka_unit_test(it_has_no_network),
		cmocka_unit_test(one_with_egress_is_on_none_of_dockers_networks_and_its_runtime_is_told_which_it_joins),
		cmocka_unit_test(the_engine_is_told_the_runtime_of_the_driver),
		cmocka_unit_test(nothing_but_runtime_network_host_threads_and_tmp_tells_the_runtimes_apart),
		cmocka_unit_test(what_tells_of_the_host_and_of_other_sandboxes_is_masked),
		cmocka_unit_test(with_a_ca_file_one_with_egress_has_it_read_only_and_in_the_variables_that_name_it),
		cmocka_unit_test(memory_and_swap_together_are_as_much_as_memory),
		cmocka_unit_test(the_cpu_quota_is_set),
		cmocka_unit_test(the_number_of_processes_is_limited),
		cmocka_unit_test(open_files_core_dumps_and_file_sizes_are_limited),
		cmocka_unit_test(tmp_is_limited_in_size_and_inodes),
		cmocka_unit_test(where_the_runtimes_own_tmpfs_counts_no_files_tmp_is_one_of_the_hosts),
		cmocka_unit_test(docker_keeps_no_log),
		cmocka_unit_test(ipc_is_private_and_shared_memory_is_limited_by_memory_alone),
		cmocka_unit_test(it_shares_no_namespace_with_the_host),
		cmocka_unit_test(an_init_process_reaps_what_the_function_leaves_behind),
		cmocka_unit_test(docker_never_starts_it_again),
		cmocka_unit_test(it_carries_the_labels_of_instance_and_sandbox),
		cmocka_unit_test(its_only_mounts_are_its_own_files_and_the_runtimes_all_read_only),
		cmocka_unit_test(it_runs_the_launcher_whatever_the_image_would_run),
		cmocka_unit_test(its_environment_says_nothing_of_the_host),
		cmocka_unit_test(its_host_name_leads_to_itself),
		cmocka_unit_test(the_command_given_is_left_as_it_was),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
