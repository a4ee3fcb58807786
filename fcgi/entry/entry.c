#include "entry/entry.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "conf/conf.h"

#define CHILD_OPTION   "--child="
#define SLOT_OPTION    "--slot="
#define CLIENTS_OPTION "--clients="

enum { USAGE = 2 };

/*
 * All children of one role run as the same user, which could otherwise attach to any of them with ptrace(2). An installed
 * program cannot be read (Makefile.am), which protects it from its first instruction on; this call protects other builds. A
 * sanitized build is exempt, because its leak checker attaches to its own process.
 */
static void shut_out_siblings(void)
{
#ifndef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

bool entry_is_child(int argc, char **argv)
{
	return argc == 4 && strncmp(argv[1], CHILD_OPTION, strlen(CHILD_OPTION)) == 0 &&
	       strncmp(argv[2], SLOT_OPTION, strlen(SLOT_OPTION)) == 0 &&
	       strncmp(argv[3], CLIENTS_OPTION, strlen(CLIENTS_OPTION)) == 0;
}

static bool read_arguments(char **argv, struct inherited *inherited)
{
	char end;

	inherited->role = child_role_parse(argv[1] + strlen(CHILD_OPTION));
	return inherited->role != CHILD_ROLE_COUNT &&
	       sscanf(argv[2] + strlen(SLOT_OPTION), "%d%c", &inherited->slot, &end) == 1 && inherited->slot >= 0 &&
	       sscanf(argv[3] + strlen(CLIENTS_OPTION), "%u,%u%c", &inherited->clients[0], &inherited->clients[1], &end) ==
		       INHERITED_CLIENTS;
}

int entry_child(int argc, char **argv, const entry_main_fn mains[CHILD_ROLE_COUNT])
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct inherited inherited = {.slot = -1};
	char title[32];
	struct err err;

	shut_out_siblings();
	if (!entry_is_child(argc, argv) || !read_arguments(argv, &inherited) || mains[inherited.role] == NULL ||
	    fcntl(INHERITED_LIFE_FD, F_GETFD) < 0) {
		fprintf(stderr, "berthd: only the master starts children\n");
		return USAGE;
	}
	prctl(PR_SET_NAME, "berthd"); /* a program executed through a descriptor has the descriptor's number as its name */
	snprintf(title, sizeof(title), "%s/%d", child_role_name(inherited.role), inherited.slot);
	log_init(title, LOG_INFO);
	if (conf_load_fd(INHERITED_CONF_FD, &conf, &err) < 0) {
		log_error("configuration: %s", err.msg);
		return USAGE;
	}
	log_init(title, (enum log_level)log_level_parse(conf->log_level));
	inherited.conf = conf;
	return mains[inherited.role](&inherited);
}
