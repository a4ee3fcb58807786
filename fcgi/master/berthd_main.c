/* berthd: reads the command line and becomes the master, or the child that the master has started. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "entry/entry.h"
#include "master/master.h"
#include "master/master_main.h"
#include "master/resources/pidfile.h"
#include "master/resources/settings.h"
#include "status/report.h"
#include "status/status.h"

/* The last two are also the exit statuses of service managers' status commands. */
enum exit_status { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_NOT_RUNNING = 3, STATUS_UNKNOWN = 4 };

enum action { RUN_MASTER, SHOW_STATUS, CHECK_CONFIG, DUMP_CONFIG, SHOW_VERSION, SHOW_HELP };

static const struct {
	const char *name;
	const char *argument; /* NULL: takes no argument */
	enum action action;
	const char *text; /* NULL: not shown in the help */
} options[] = {
	{"config", "FILE", RUN_MASTER, "read the configuration from FILE (default " BERTH_CONF_FILE ")"},
	{"status", NULL, SHOW_STATUS, "show the state of the berthd that runs with this configuration, and exit"},
	{"check-config", NULL, CHECK_CONFIG, "check the configuration, and exit"},
	{"dump-config", NULL, DUMP_CONFIG, "print every setting with its value and meaning, and exit"},
	{"version", NULL, SHOW_VERSION, "print the version, and exit"},
	{"help", NULL, SHOW_HELP, "print this text, and exit"},
	{"inherit", "LIST", RUN_MASTER, NULL},
};

struct command_line {
	enum action action;
	const char *config; /* NULL: the default */
	struct master_start start;
};

/* Invoke workers have their own program (entry/invoke_program.c). */
static const entry_main_fn child_mains[CHILD_ROLE_COUNT] = {
	[CHILD_FOLLOW] = follow_main,       [CHILD_DEPLOY] = control_main,  [CHILD_QUERY] = control_main,
	[CHILD_HEALTH] = control_main,      [CHILD_CONTROL] = control_main, [CHILD_POOLMGR] = poolmgr_main,
	[CHILD_COLLECTOR] = collector_main, [CHILD_WARDEN] = warden_main,
};

static int show_help(void)
{
	printf("Usage: berthd [OPTION]...\n"
	       "Run functions on demand: start the Berth platform on this machine and stay in the foreground.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		char usage[32];
		if (options[i].text == NULL)
			continue;
		snprintf(usage, sizeof(usage), "--%s%s%s", options[i].name, options[i].argument ? "=" : "",
			 options[i].argument ? options[i].argument : "");
		printf("  %-16s  %s\n", usage, options[i].text);
	}
	printf("\nSignals: TERM and INT stop berthd after requests in flight have finished; HUP reloads the configuration; "
	       "USR2\n"
	       "upgrades: the program file is started again, takes over without refusing a request, and stops this berthd.\n"
	       "Exit status: 0 after a clean stop, 1 when it cannot run, 2 for a wrong option or configuration; with\n"
	       "--status: 0 when berthd runs and answers, 3 when it does not, 4 when this user may not ask.\n");
	return STATUS_OK;
}

static void remember(struct command_line *line, size_t option, const char *argument)
{
	const char *name = options[option].name;

	if (strcmp(name, "config") == 0)
		line->config = argument;
	else if (strcmp(name, "inherit") == 0)
		line->start.inherited = argument;
	if (options[option].action != RUN_MASTER)
		line->action = options[option].action;
}

static int parse(int argc, char **argv, struct command_line *line)
{
	struct option known[ARRAY_SIZE(options) + 1] = {0};
	int index, rc;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		known[i] = (struct option){options[i].name, options[i].argument ? required_argument : no_argument, NULL, 0};
	while ((rc = getopt_long(argc, argv, "", known, &index)) == 0)
		remember(line, (size_t)index, optarg);
	if (rc != -1)
		return -1; /* getopt has printed the reason */
	if (optind < argc) {
		fprintf(stderr, "berthd: unexpected argument '%s'\n", argv[optind]);
		return -1;
	}
	return 0;
}

static int show_status(const struct settings *settings)
{
	const char *run_dir = settings->conf->master_run_dir;
	AUTO(json_decrefp) json_t *stats = NULL;
	struct err err;

	int rc = status_ask(settings->conf, &stats, &err);
	pid_t master = pidfile_owner(run_dir);
	if (rc < 0 && (err.code == EACCES || err.code == EPERM)) {
		printf("berthd: only root may ask: %s\n", err.msg);
		return STATUS_UNKNOWN;
	}
	if (master == 0) {
		printf("berthd does not run: no process holds %s/" PIDFILE_NAME "\n", run_dir);
		return STATUS_NOT_RUNNING;
	}
	if (rc < 0) {
		printf("berthd runs (pid %d), but its pool manager does not answer: %s\n", (int)master, err.msg);
		if (err.code == EAGAIN) /* poolmgr exists but does not answer */
			printf("It is replaced when it has not moved for master.stuck_after_ms, %" PRId64
			       " ms; the log says so\n",
			       settings->conf->master_stuck_after_ms);
		return STATUS_NOT_RUNNING;
	}
	report_print(stats, master, stdout);
	return STATUS_OK;
}

static int check_config(const struct settings *settings)
{
	printf("berthd: '%s' is valid\n", settings->path);
	return STATUS_OK;
}

static int dump_config(const struct settings *settings)
{
	conf_dump(settings->conf, stdout);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return STATUS_OK;
	perror("berthd: write");
	return STATUS_FAILED;
}

/*
 * Without a configuration file nothing is started, checked or reported as not running, because the result would describe a
 * platform that was never set up. NULL: there is none, and an error was printed.
 */
static const char *find_config(const struct command_line *line)
{
	if (line->config != NULL || access(BERTH_CONF_FILE, F_OK) == 0)
		return line->config ? line->config : BERTH_CONF_FILE;
	if (line->action == DUMP_CONFIG) {
		fprintf(stderr, "berthd: there is no '%s': these are the defaults\n", BERTH_CONF_FILE);
		return "/dev/null";
	}
	fprintf(stderr,
		"berthd: there is no configuration: looked for '%s'\n"
		"berthd: name yours with --config=FILE (that of 'stack up --dir DIR' is DIR/berth.conf); --dump-config prints "
		"one "
		"with the defaults\n",
		BERTH_CONF_FILE);
	return NULL;
}

static int with_settings(const struct command_line *line)
{
	AUTO(settings_free) struct settings settings = {.path = find_config(line), SETTINGS_NO_FDS};
	struct err err;

	if (settings.path == NULL)
		return STATUS_USAGE;
	if (settings_read(&settings, &err) < 0) {
		if (line->action == SHOW_STATUS && err.code == EACCES) {
			printf("berthd: only root may ask: %s\n", err.msg);
			return STATUS_UNKNOWN;
		}
		fprintf(stderr, "berthd: %s\n", err.msg);
		return STATUS_USAGE;
	}
	if (line->action == SHOW_STATUS)
		return show_status(&settings);
	if (line->action == CHECK_CONFIG)
		return check_config(&settings);
	if (line->action == DUMP_CONFIG)
		return dump_config(&settings);
	return master_main(&settings, &line->start);
}

int main(int argc, char **argv)
{
	struct command_line line = {.action = RUN_MASTER, .start.program = argv[0]};

	if (entry_is_child(argc, argv))
		return entry_child(argc, argv, child_mains);
	if (parse(argc, argv, &line) < 0) {
		fprintf(stderr, "berthd: try 'berthd --help'\n");
		return STATUS_USAGE;
	}
	switch (line.action) {
	case SHOW_HELP:
		return show_help();
	case SHOW_VERSION:
		printf("berthd %s\n", PACKAGE_VERSION);
		return STATUS_OK;
	default:
		return with_settings(&line);
	}
}
