/* berthd: reads the command line and becomes the master, or the child that the master asked for. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipc/heritage.h"
#include "master/master_main.h"
#include "master/pidfile.h"
#include "master/settings.h"
#include "status/report.h"
#include "status/status.h"

/* The last two are what the status commands of service managers say, too. */
enum exit_status { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_NOT_RUNNING = 3, STATUS_UNKNOWN = 4 };

enum action { RUN_MASTER, RUN_CHILD, SHOW_STATUS, CHECK_CONFIG, DUMP_CONFIG, SHOW_VERSION, SHOW_HELP };

static const struct {
	const char *name;
	const char *argument; /* NULL: takes none */
	enum action action;
	const char *text; /* NULL: not for people */
} options[] = {
	{"config", "FILE", RUN_MASTER, "read the configuration from FILE (default " BERTH_CONF_FILE ")"},
	{"status", NULL, SHOW_STATUS, "ask the berthd that runs with this configuration how it is, and exit"},
	{"check-config", NULL, CHECK_CONFIG, "say whether the configuration is valid, and exit"},
	{"dump-config", NULL, DUMP_CONFIG, "print every setting with its value and meaning, and exit"},
	{"version", NULL, SHOW_VERSION, "print the version, and exit"},
	{"help", NULL, SHOW_HELP, "print this text, and exit"},
	{"child", "ROLE", RUN_CHILD, NULL},
	{"slot", "N", RUN_CHILD, NULL},
	{"inherit", "LIST", RUN_MASTER, NULL},
};

struct command_line {
	enum action action;
	const char *config; /* NULL: the default */
	const char *child, *slot;
	struct master_start start;
};

static int (*const child_mains[CHILD_ROLE_COUNT])(const struct heritage *) = {
	[CHILD_INVOKE] = worker_main,       [CHILD_CONTROL] = worker_main, [CHILD_POOLMGR] = poolmgr_main,
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
	printf("\nSignals: TERM and INT stop it, requests in flight finish first; HUP reads the configuration again; USR2 "
	       "starts\n"
	       "the program file anew, which takes over without refusing a request, and stops this one.\n"
	       "Exit status: 0 after a clean stop, 1 when it cannot run, 2 for a wrong option or configuration; of --status 0\n"
	       "when it runs and answers, 3 when it does not, 4 when this user may not ask.\n");
	return STATUS_OK;
}

static void remember(struct command_line *line, size_t option, const char *argument)
{
	const char *name = options[option].name;

	if (strcmp(name, "config") == 0)
		line->config = argument;
	else if (strcmp(name, "child") == 0)
		line->child = argument;
	else if (strcmp(name, "slot") == 0)
		line->slot = argument;
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
		return -1; /* getopt has said why */
	if (optind < argc) {
		fprintf(stderr, "berthd: unexpected argument '%s'\n", argv[optind]);
		return -1;
	}
	return 0;
}

/*
 * All children run as one user, who could otherwise attach to any of them with ptrace(2): a worker to the process that has
 * Docker. The leak checker of a sanitized build attaches to its own process in just that way.
 */
static void shut_out_siblings(void)
{
#ifndef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* What the master left for us in fixed places: see heritage.h. */
static int run_child(const struct command_line *line)
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct heritage heritage = {.role = child_role_parse(line->child ? line->child : ""), .slot = -1};
	char title[32], end;
	struct err err;

	if (heritage.role == CHILD_ROLE_COUNT || line->slot == NULL || sscanf(line->slot, "%d%c", &heritage.slot, &end) != 1 ||
	    heritage.slot < 0 || fcntl(HERITAGE_LIFE_FD, F_GETFD) < 0) {
		fprintf(stderr, "berthd: only the master may use --child and --slot\n");
		return STATUS_USAGE;
	}
	prctl(PR_SET_NAME, "berthd"); /* execution through a descriptor has left its number there */
	shut_out_siblings();
	snprintf(title, sizeof(title), "%s/%d", child_role_name(heritage.role), heritage.slot);
	log_init(title, LOG_INFO);
	if (conf_load_fd(HERITAGE_CONF_FD, &conf, &err) < 0) {
		log_error("configuration: %s", err.msg);
		return STATUS_USAGE;
	}
	log_init(title, (enum log_level)log_level_parse(conf->log_level));
	heritage.conf = conf;
	return child_mains[heritage.role](&heritage);
}

static int show_status(const struct settings *settings)
{
	const char *run_dir = settings->conf->master_run_dir;
	AUTO(json_decrefp) json_t *stats = NULL;
	struct err err;

	int rc = status_ask(settings->conf, &stats, &err);
	pid_t master = pidfile_owner(run_dir);
	if (rc < 0 && (err.code == EACCES || err.code == EPERM)) {
		printf("berthd: only root and the user %s may ask: %s\n", settings->conf->master_user, err.msg);
		return STATUS_UNKNOWN;
	}
	if (master == 0) {
		printf("berthd does not run: no process holds %s/" PIDFILE_NAME "\n", run_dir);
		return STATUS_NOT_RUNNING;
	}
	if (rc < 0) {
		printf("berthd runs (pid %d), but its pool manager does not answer: %s\n", (int)master, err.msg);
		return STATUS_NOT_RUNNING;
	}
	report_print(stats, master, stdout);
	return STATUS_OK;
}

static int check_config(const struct settings *settings)
{
	if (settings->was_missing)
		printf("berthd: there is no '%s': every setting has its default\n", settings->path);
	else
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

static int run_master(struct settings *settings, const struct master_start *start)
{
	if (settings->was_missing)
		log_warn("there is no '%s': every setting has its default", settings->path);
	return master_main(settings, start);
}

static int with_settings(const struct command_line *line)
{
	AUTO(settings_free)
	struct settings settings = {
		.path = line->config ? line->config : BERTH_CONF_FILE,
		.may_be_missing = line->config == NULL,
		.write_fd = -1,
		.read_fd = -1,
	};
	struct err err;

	if (settings_read(&settings, &err) < 0) {
		fprintf(stderr, "berthd: %s\n", err.msg);
		return STATUS_USAGE;
	}
	if (line->action == SHOW_STATUS)
		return show_status(&settings);
	if (line->action == CHECK_CONFIG)
		return check_config(&settings);
	if (line->action == DUMP_CONFIG)
		return dump_config(&settings);
	return run_master(&settings, &line->start);
}

int main(int argc, char **argv)
{
	struct command_line line = {.action = RUN_MASTER, .start.program = argv[0]};

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
	case RUN_CHILD:
		return run_child(&line);
	default:
		return with_settings(&line);
	}
}
