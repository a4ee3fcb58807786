#include "poolmgr/sandbox/shim.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/cmdline.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/node/work.h"
#include "poolmgr/sandbox/cgroup.h"

#define ID_LENGTH        64
#define COMMAND          "containerd-shim" /* the name in comm, cut off after 15 characters: proc_pid_comm(5) */
#define MAX_COMMAND_LINE 65536

struct shim {
	char container[ID_LENGTH + 1];
	pid_t pid;
	int64_t found_us;   /* when the first search that found it ended */
	bool seen;          /* it was found by the latest search */
	bool listed;        /* it is in the current list */
	int64_t suspect_us; /* when the first of the consecutive lists without it was requested; 0: it is in the latest list */
	UT_hash_handle hh;
	struct shim *next; /* link while it is on a search's list */
};

struct search {
	struct work work;
	struct shim *found;
};

static const struct conf *conf;
static struct shim *shims; /* by container */
static bool searching;

/* ---- In the thread ---- */

/* Reads a file of a process, malloc'ed; NULL when it does not exist, because the process has ended for instance. */
static char *read_file_new(const char *pid, const char *name, size_t *len)
{
	AUTO(mem_free) char *path = mem_printf("/proc/%.20s/%s", pid, name);
	char *text = NULL;

	return fd_read_file(path, MAX_COMMAND_LINE, &text, len, NULL) < 0 ? NULL : text;
}

static bool is_id(const char *text)
{
	return text != NULL && strlen(text) == ID_LENGTH && strspn(text, "0123456789abcdef") == ID_LENGTH;
}

static struct shim *shim_of_process_new(const char *pid)
{
	size_t len;

	if (pid[strspn(pid, "0123456789")] != '\0')
		return NULL;
	AUTO(mem_free) char *command = read_file_new(pid, "comm", &len);
	if (command == NULL || strcmp(command, COMMAND "\n") != 0)
		return NULL;
	AUTO(mem_free) char *line = read_file_new(pid, "cmdline", &len);
	const char *container = line != NULL ? cmdline_option(line, len, "-id") : NULL;
	if (!is_id(container))
		return NULL;
	struct shim *s = mem_alloc(sizeof(*s));
	snprintf(s->container, sizeof(s->container), "%s", container);
	s->pid = (pid_t)strtol(pid, NULL, 10);
	return s;
}

static void search_run(struct work *work)
{
	struct search *search = (struct search *)work;
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		struct shim *s = shim_of_process_new(entry->d_name);
		if (s != NULL)
			LL_PREPEND(search->found, s);
	}
	if (proc != NULL)
		closedir(proc);
}

/* ---- On the loop ---- */

static void forget(struct shim *s)
{
	HASH_DEL(shims, s);
	free(s);
}

/* Takes over s. */
static void note(struct shim *s)
{
	struct shim *known;

	HASH_FIND_STR(shims, s->container, known);
	if (known != NULL && known->pid != s->pid) {
		forget(known);
		known = NULL;
	}
	if (known == NULL) {
		s->found_us = clock_mono_us();
		HASH_ADD_STR(shims, container, s);
		known = s;
	} else {
		free(s);
	}
	known->seen = true;
}

static void search_after(struct work *work)
{
	struct search *search = (struct search *)work;
	struct shim *s, *next;

	HASH_ITER (hh, shims, s, next)
		s->seen = false;
	LL_FOREACH_SAFE (search->found, s, next)
		note(s);
	HASH_ITER (hh, shims, s, next)
		if (!s->seen)
			forget(s);
	free(search);
	searching = false;
}

void shim_search(void)
{
	if (searching)
		return;
	struct search *search = mem_alloc(sizeof(*search));
	search->work = (struct work){search_run, search_after, NULL, NULL};
	searching = true;
	work_begin(WORK_CHORE, &search->work);
}

void shim_listed(const char *container_id)
{
	struct shim *s;

	HASH_FIND_STR(shims, container_id, s);
	if (s != NULL)
		s->listed = true;
}

static void on_ended(const char *container_id)
{
	counters[COUNT_DRIFT_SHIM]++;
	log_info("ended the shim of container %.12s, which Docker does not know", container_id);
}

/* Writes the path as Docker does: without superfluous slashes. */
static void squeeze_slashes(char *path)
{
	char *to = path;

	for (const char *from = path; *from != '\0'; from++)
		if (from[0] != '/' || from[1] != '/')
			*to++ = *from;
	*to = '\0';
}

static void end(const struct shim *s)
{
	AUTO(mem_free) char *directory = mem_printf("%s/sandboxes", conf->master_state_dir);

	squeeze_slashes(directory);
	cgroup_end_shim(s->container, s->pid, directory, on_ended);
}

bool shim_judge(int64_t asked_us)
{
	bool is_new = false;
	struct shim *s, *next;

	HASH_ITER (hh, shims, s, next) {
		bool missing = !s->listed && s->found_us < asked_us;
		if (missing && s->suspect_us != 0 && asked_us - s->suspect_us >= SHIM_SUSPICION_US)
			end(s);
		is_new = is_new || (missing && s->suspect_us == 0);
		s->suspect_us = !missing ? 0 : s->suspect_us != 0 ? s->suspect_us : asked_us;
		s->listed = false;
	}
	return is_new;
}

void shim_set_conf(const struct conf *c)
{
	conf = c;
}

void shim_init(uv_loop_t *loop, const struct conf *c)
{
	work_init(loop);
	conf = c;
}
