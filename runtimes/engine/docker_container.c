/* The configuration of a sandbox's container, with the hardening list, as the body of POST /containers/create. */
#include <stdio.h>

#include "base/mem.h"
#include "engine/docker.h"

#define MB        (INT64_C(1) << 20)
#define HOST_NAME "sandbox"
#define CA_FILE   "/etc/ssl/certs/ca-certificates.crt" /* Debian's file of all certificates */

/*
 * Paths that reveal information about the host and other sandboxes. The list replaces the engine's own list, so it includes
 * that one. Not masked are files that languages read: cpuinfo, meminfo, stat, uptime and version, /sys/devices/system, and the
 * sandbox's own cgroup. Paths that a host does not have are ignored; gVisor's kernel has its own files.
 */
static const char *const masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/bootconfig",
	"/proc/buddyinfo",
	"/proc/bus",
	"/proc/cgroups",
	"/proc/cmdline",
	"/proc/config.gz",
	"/proc/consoles",
	"/proc/crypto",
	"/proc/devices",
	"/proc/diskstats",
	"/proc/dma",
	"/proc/driver",
	"/proc/execdomains",
	"/proc/fb",
	"/proc/fs",
	"/proc/interrupts",
	"/proc/iomem",
	"/proc/ioports",
	"/proc/irq",
	"/proc/kallsyms",
	"/proc/kcore",
	"/proc/key-users",
	"/proc/keys",
	"/proc/kmsg",
	"/proc/kpagecgroup",
	"/proc/kpagecount",
	"/proc/kpageflags",
	"/proc/latency_stats",
	"/proc/loadavg",
	"/proc/locks",
	"/proc/mdstat",
	"/proc/misc",
	"/proc/modules",
	"/proc/mtrr",
	"/proc/pagetypeinfo",
	"/proc/partitions",
	"/proc/pressure",
	"/proc/sched_debug",
	"/proc/schedstat",
	"/proc/scsi",
	"/proc/slabinfo",
	"/proc/softirqs",
	"/proc/swaps",
	"/proc/sys/fs/aio-nr",
	"/proc/sys/fs/dentry-state",
	"/proc/sys/fs/file-nr",
	"/proc/sys/fs/inode-nr",
	"/proc/sys/fs/inode-state",
	"/proc/sys/kernel/pty",
	"/proc/sysrq-trigger",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/tty",
	"/proc/vmallocinfo",
	"/proc/vmstat",
	"/proc/zoneinfo",
	"/sys/block",
	"/sys/bus",
	"/sys/class",
	"/sys/dev",
	"/sys/devices/LNXSYSTM:00",
	"/sys/devices/pci0000:00",
	"/sys/devices/platform",
	"/sys/devices/virtual",
	"/sys/firmware",
	"/sys/hypervisor",
	"/sys/kernel",
	"/sys/module",
	"/sys/power",
};

static json_t *json_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);

static json_t *json_printf(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_string(text);
}

/* A bind mount fails when its source is missing, where Docker's older "Binds" would create it as root. */
static json_t *read_only_mount(const char *source, const char *target)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:{s:s}}", "Type", "bind", "Source", source, "Target", target, "ReadOnly", 1,
			 "BindOptions", "Propagation", "rprivate");
}

/*
 * A tmpfs of the host's kernel, which enforces every limit. It is removed with the container; the label finds it if it is not.
 */
static json_t *tmpfs_volume(const struct conf *conf, const char *target, json_t *options)
{
	return json_pack("{s:s, s:s, s:{s:b, s:{s:s}, s:{s:s, s:{s:s, s:s, s:o}}}}", "Type", "volume", "Target", target,
			 "VolumeOptions", "NoCopy", 1, "Labels", DOCKER_LABEL_INSTANCE, conf->master_instance, "DriverConfig",
			 "Name", "local", "Options", "type", "tmpfs", "device", "tmpfs", "o", options);
}

static bool has_ca_file(const struct conf *conf, const struct docker_launch *l)
{
	return l->egress && conf->sandbox_ca_file[0] != '\0';
}

/* One of the sandbox's own files and directories. */
static json_t *own_mount(const struct docker_launch *l, const char *name, const char *target)
{
	AUTO(mem_free) char *source = mem_printf("%s/%s", l->host_dir, name);

	return read_only_mount(source, target);
}

/*
 * The mounts: the root, the sandbox's own files and the runtimes, all read-only, and /tmp in memory. Programs and libraries in
 * /tmp can be run: noexec would keep no code from a function, and on gVisor, whose kernel does not know the options of a
 * volume, libraries would end it by a signal. /dev/shm is as large as the limit on memory, which counts it, so that memory that
 * was promised there never ends a process with SIGBUS.
 */
static void set_mounts(json_t *h, const struct conf *conf, const struct docker_launch *l)
{
	json_t *mounts =
		json_pack("[o, o, o, o]", own_mount(l, "berth", "/berth"), own_mount(l, "passwd", "/etc/passwd"),
			  own_mount(l, "group", "/etc/group"), read_only_mount(conf->sandbox_runtimes_dir, "/opt/berth"));
	json_t *tmp = json_printf("nosuid,nodev,exec,size=%lldm,nr_inodes=%lld,mode=1777", (long long)l->tmp_mb,
				  (long long)l->tmp_inodes);

	json_object_set_new(h, "ReadonlyRootfs", json_true());
	if (has_ca_file(conf, l))
		json_array_append_new(mounts, read_only_mount(conf->sandbox_ca_file, CA_FILE));
	if (l->driver->ignores_nr_inodes)
		json_array_append_new(mounts, tmpfs_volume(conf, "/tmp", tmp));
	else
		json_object_set_new(h, "Tmpfs", json_pack("{s:o}", "/tmp", tmp));
	json_object_set_new(h, "Mounts", mounts);
	json_object_set_new(h, "ShmSize", json_integer(l->memory_mb * MB));
}

static json_t *masked_paths(void)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		json_array_append_new(paths, json_string(masked[i]));
	return paths;
}

/*
 * The sandbox finds its own name in /etc/hosts. None of Docker's networks is used, because their resolver knows the other
 * sandboxes and cannot be blocked. The runtime connects the sandbox to the network of its instance (scripts/egress), where
 * these addresses resolve names.
 */
static void set_network(json_t *h, const struct docker_launch *l)
{
	json_object_set_new(h, "NetworkMode", json_string("none"));
	json_object_set_new(h, "ExtraHosts", json_pack("[s]", HOST_NAME ":127.0.0.1"));
	json_object_set_new(h, "Runtime", json_string(l->egress ? l->driver->egress_runtime : l->driver->engine_runtime));
	if (!l->egress)
		return;
	json_object_set_new(h, "Dns", json_pack("[s, s, s]", "198.18.0.1", "198.18.0.2", "198.18.0.3"));
	json_object_set_new(h, "DnsSearch", json_pack("[s]", ".")); /* instead of the host's search domains */
	json_object_set_new(h, "DnsOptions", json_pack("[s, s]", "timeout:2", "attempts:2"));
}

static json_t *ulimit(const char *name, int64_t value)
{
	return json_pack("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t)value, "Hard", (json_int_t)value);
}

static json_t *host_config(const struct conf *conf, const struct docker_launch *l)
{
	json_t *h = json_object();

	/* Users and rights. */
	json_object_set_new(h, "CapDrop", json_pack("[s]", "ALL"));
	json_object_set_new(h, "SecurityOpt", json_pack("[s]", "no-new-privileges"));
	json_object_set_new(h, "Privileged", json_false());
	json_object_set_new(h, "IpcMode", json_string("private"));
	json_object_set_new(h, "CgroupnsMode", json_string("private"));
	json_object_set_new(h, "Init", json_false()); /* the launcher is the init */
	set_network(h, l);

	set_mounts(h, conf, l);
	json_object_set_new(h, "MaskedPaths", masked_paths());

	/* Limits on resources. The limit on memory and swap together equals that on memory, so there is no swap. */
	json_object_set_new(h, "Memory", json_integer((l->memory_mb + l->own_memory_mb) * MB));
	json_object_set_new(h, "MemorySwap", json_integer((l->memory_mb + l->own_memory_mb) * MB));
	json_object_set_new(h, "NanoCpus", json_integer(l->cpu_millis * 1000000));
	json_object_set_new(h, "PidsLimit", json_integer(l->driver->own_pids + l->pids * l->driver->pids_each));
	json_object_set_new(h, "Ulimits",
			    json_pack("[o, o, o, o]", ulimit("nofile", l->nofile), ulimit("nproc", l->pids), ulimit("core", 0),
				      ulimit("fsize", l->tmp_mb * MB)));
	json_object_set_new(h, "OomScoreAdj", json_integer(500));

	/* Docker keeps no output, which goes through the log sockets, and never restarts the container. */
	json_object_set_new(h, "LogConfig", json_pack("{s:s}", "Type", "none"));
	json_object_set_new(h, "RestartPolicy", json_pack("{s:s}", "Name", "no"));
	return h;
}

/* The variables in which Python, Node.js and programs written in them look for the certificates to trust. */
static const char *const ca_variables[] = {
	"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",  "CURL_CA_BUNDLE",    "AWS_CA_BUNDLE",
	"PIP_CERT",      "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_CAFILE",
};

/* HOME, USER and LOGNAME are those of the user in the sandbox's /etc/passwd. */
static json_t *environment(const struct conf *conf, const struct docker_launch *l)
{
	json_t *env = json_pack("[s, s, s, s, s]", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "USER=sandbox",
				"LOGNAME=sandbox", "LANG=C.UTF-8");

	for (size_t i = 0; has_ca_file(conf, l) && i < ARRAY_SIZE(ca_variables); i++)
		json_array_append_new(env, json_printf("%s=%s", ca_variables[i], CA_FILE));
	if (l->egress) /* for scripts/egress-runtime, which removes it */
		json_array_append_new(env, json_printf("BERTH_EGRESS=%s", conf->master_instance));
	return env;
}

json_t *docker_container_json(const struct conf *conf, const struct docker_launch *l)
{
	json_t *c = json_object();
	json_t *cmd = json_pack("[s]", "/opt/berth/launcher");

	json_array_extend(cmd, (json_t *)l->command);
	json_object_set_new(c, "Image", json_string(l->image));
	json_object_set_new(c, "Entrypoint", json_array());
	json_object_set_new(c, "Cmd", cmd);
	json_object_set_new(c, "Healthcheck",
			    json_pack("{s:[s]}", "Test", "NONE")); /* the image's health check would run in the sandbox */
	json_object_set_new(c, "User", json_printf("%u:%u", l->uid, l->uid));
	json_object_set_new(c, "WorkingDir", json_string("/tmp"));
	json_object_set_new(c, "Hostname", json_string(HOST_NAME));
	json_object_set_new(c, "Env", environment(conf, l));
	json_object_set_new(
		c, "Labels",
		json_pack("{s:s, s:s}", DOCKER_LABEL_INSTANCE, conf->master_instance, DOCKER_LABEL_SANDBOX, l->sandbox_id));
	json_object_set_new(c, "HostConfig", host_config(conf, l));
	return c;
}
