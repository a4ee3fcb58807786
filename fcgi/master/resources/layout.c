#include "master/resources/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/record.h"

#define MAX_DEPTH 80 /* deeper than any directory that poolmgr makes */

/* The package cache of an earlier version, whose processes all ran as one user and could write there. It is no longer used. */
#define EARLIER_CACHE "packages"

/* The contents of state_dir. ARCHITECTURE.md, "Trust", gives the reasons for the modes. */
static const struct entry {
	const char *name;
	enum { DIRECTORY, FILE_TO_MAKE, FILE_IF_THERE } kind;
	enum child_role owner, group;
	mode_t mode;
} entries[] = {
	{"sandboxes", DIRECTORY, CHILD_POOLMGR, CHILD_POOLMGR, 0700},
	{"cache", DIRECTORY, CHILD_POOLMGR, CHILD_POOLMGR, 0700},
	{"uids", FILE_TO_MAKE, CHILD_POOLMGR, CHILD_POOLMGR, 0600},
	{RECORD_SPOOL_DIR, DIRECTORY, CHILD_COLLECTOR, CHILD_INVOKE, 01730},
	{RECORD_SPOOL_DIR "/" RECORD_REJECTED_DIR, DIRECTORY, CHILD_COLLECTOR, CHILD_COLLECTOR, 0700},
	{RECORD_SPOOL_DIR "/" RECORD_ID_FILE, FILE_IF_THERE, CHILD_COLLECTOR, CHILD_COLLECTOR, 0600},
};

/* ---- Directories ---- */

/* Makes one directory with exactly that mode. An existing one is unchanged. */
static int make_dir(const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) == 0)
		return chmod(path, mode) < 0 ? err_set(err, errno, "chmod '%s'", path) : 0;
	return errno == EEXIST ? 0 : err_set(err, errno, "create directory '%s'", path);
}

/* Makes a directory and its parents, which all users may read. */
static int make_path(const char *path, struct err *err)
{
	AUTO(mem_free) char *copy = mem_strdup(path);

	for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (make_dir(copy, 0755, err) < 0)
			return -1;
		*slash = '/';
	}
	return make_dir(path, 0755, err);
}

/* A user who may write to the directory could replace its contents, so only root may. */
static int keep_for_root(int fd, const struct identity *id)
{
	struct stat st;

	if (!id->can_switch)
		return 0;
	if (fstat(fd, &st) < 0 || (st.st_uid != 0 && fchown(fd, 0, 0) < 0))
		return -1;
	return (st.st_mode & 022) != 0 ? fchmod(fd, st.st_mode & 07755) : 0;
}

static int open_path(const char *path, const struct identity *id, struct err *err)
{
	if (make_path(path, err) < 0)
		return -1;
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open directory '%s'", path);
	if (keep_for_root(fd, id) < 0)
		return err_set(err, errno, "close directory '%s' to others", path);
	return TAKE_FD(fd);
}

int layout_run_dir(const struct conf *conf, const struct identity *id, struct err *err)
{
	return open_path(conf->master_run_dir, id, err);
}

/* ---- Everything below a directory, without following links, because users who are not trusted write there ---- */

struct walk {
	void (*visit)(int dir_fd, const char *name, const struct stat *st, const struct walk *walk);
	const struct conf *conf;
	const struct identity *id;
	enum child_role owner;
};

static void close_dir(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

/* The contents of a directory come before it. Files that vanish or cannot be changed are left; poolmgr reports those that it
 * cannot remove. */
static void walk_below(int dir_fd, const char *name, const struct walk *walk, int depth)
{
	AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(close_dir) DIR *dir = fd < 0 || depth > MAX_DEPTH ? NULL : fdopendir(fd);
	const struct dirent *e;
	struct stat st;

	if (dir == NULL)
		return;
	fd = -1; /* owned by dir */
	while ((e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			walk_below(dirfd(dir), e->d_name, walk, depth + 1);
		walk->visit(dirfd(dir), e->d_name, &st, walk);
	}
}

/* Files of sandboxes keep their owner, and so do those of root. */
static bool is_somebody_elses(const struct stat *st, const struct walk *walk)
{
	int64_t base = walk->conf->sandbox_uid_base;

	return st->st_uid != 0 && st->st_uid != walk->id->accounts[walk->owner].uid &&
	       (st->st_uid < base || st->st_uid >= base + walk->conf->sandbox_uid_count);
}

/* A file with a second name is not handed over, because it may be any file. */
static void hand_over(int dir_fd, const char *name, const struct stat *st, const struct walk *walk)
{
	const struct account *owner = &walk->id->accounts[walk->owner];

	if (is_somebody_elses(st, walk) && (S_ISDIR(st->st_mode) || st->st_nlink == 1) &&
	    fchownat(dir_fd, name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) < 0)
		log_warn("chown '%s': %s", name, strerror(errno));
}

/* Spool files remain owned by the workers, and their group may read them. */
static void share_spooled(int dir_fd, const char *name, const struct stat *st, const struct walk *walk)
{
	const struct account *worker = &walk->id->accounts[CHILD_INVOKE];
	struct uuid id;

	if (!S_ISREG(st->st_mode) || !record_spool_key(name, &id))
		return;
	AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat now;
	if (fd >= 0 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode) && now.st_uid == worker->uid &&
	    (now.st_mode & S_IRGRP) == 0 && fchmod(fd, RECORD_FILE_MODE) < 0)
		log_warn("chmod '%s': %s", name, strerror(errno));
}

/* The collector gets all other files in the spool. */
static void hand_over_spooled(int dir_fd, const char *name, const struct stat *st, const struct walk *walk)
{
	struct uuid id;

	if (!record_spool_key(name, &id) && !record_file_key(name, RECORD_NEW_SUFFIX, &id))
		hand_over(dir_fd, name, st, walk);
	else
		share_spooled(dir_fd, name, st, walk);
}

static void discard(int dir_fd, const char *name, const struct stat *st, const struct walk *walk)
{
	(void)walk;
	unlinkat(dir_fd, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0);
}

/* ---- The entries ---- */

/* Opens without following a link, so that the directory that is changed is the one that was checked. */
static int open_entry(int dir_fd, const struct entry *e, struct stat *st, struct err *err)
{
	static const int flags[] = {[DIRECTORY] = O_RDONLY | O_DIRECTORY,
				    [FILE_TO_MAKE] = O_RDWR | O_CREAT,
				    [FILE_IF_THERE] = O_RDONLY | O_NONBLOCK};

	if (e->kind == DIRECTORY && mkdirat(dir_fd, e->name, 0700) < 0 && errno != EEXIST)
		return err_set(err, errno, "create directory '%s'", e->name);
	AUTO(fd_close) int fd = openat(dir_fd, e->name, flags[e->kind] | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, st) < 0)
		return err_set(err, errno, "open %s'%s'", e->kind == DIRECTORY ? "directory " : "", e->name);
	return TAKE_FD(fd);
}

static bool is_missing(int dir_fd, const struct entry *e)
{
	return e->kind == FILE_IF_THERE && faccessat(dir_fd, e->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static int give(int fd, const struct entry *e, uid_t uid, gid_t gid, mode_t mode, struct err *err)
{
	if (uid != (uid_t)-1 && fchown(fd, uid, gid) < 0)
		return err_set(err, errno, "chown '%s'", e->name);
	if (fchmod(fd, mode) < 0)
		return err_set(err, errno, "chmod '%s'", e->name);
	return 0;
}

static bool is_foreign(const struct entry *e, const struct stat *st, const struct identity *id)
{
	return id->can_switch && st->st_uid != 0 && st->st_uid != id->accounts[e->owner].uid;
}

static void remove_earlier_cache(int dir_fd)
{
	const struct walk walk = {.visit = discard};

	walk_below(dir_fd, EARLIER_CACHE, &walk, 0);
	unlinkat(dir_fd, EARLIER_CACHE, AT_REMOVEDIR);
}

/* The previous owner still has access, as a member of the group. */
static int take_foreign(int fd, const struct entry *e, const struct stat *st, const struct identity *id, struct err *err)
{
	return give(fd, e, id->accounts[e->owner].uid, st->st_gid, e->kind == DIRECTORY ? 01770 : 0660, err);
}

static int take_entry(int dir_fd, const struct entry *e, const struct identity *id, struct err *err)
{
	struct stat st;

	if (is_missing(dir_fd, e))
		return 0;
	AUTO(fd_close) int fd = open_entry(dir_fd, e, &st, err);
	if (fd < 0)
		return -1;
	if (!id->can_switch)
		return give(fd, e, (uid_t)-1, (gid_t)-1, e->mode, err);
	if (is_foreign(e, &st, id))
		return take_foreign(fd, e, &st, id, err);
	/* It already has its owner, or was made just now. */
	return st.st_uid != 0 ? 0 : give(fd, e, id->accounts[e->owner].uid, id->accounts[e->group].gid, e->mode, err);
}

static void hand_over_below(int dir_fd, const struct entry *e, const struct conf *conf, const struct identity *id)
{
	const struct walk walk = {strcmp(e->name, RECORD_SPOOL_DIR) == 0 ? hand_over_spooled : hand_over, conf, id, e->owner};

	if (e->kind == DIRECTORY)
		walk_below(dir_fd, e->name, &walk, 0);
}

int layout_settle(int dir_fd, const struct conf *conf, const struct identity *id, struct err *err)
{
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(entries) && id->can_switch; i++) {
		const struct entry *e = &entries[i];
		if (is_missing(dir_fd, e))
			continue;
		AUTO(fd_close) int fd = open_entry(dir_fd, e, &st, err);
		if (fd < 0 || give(fd, e, id->accounts[e->owner].uid, id->accounts[e->group].gid, e->mode, err) < 0)
			return err_prefix(err, "%s", conf->master_state_dir);
		hand_over_below(dir_fd, e, conf, id);
	}
	remove_earlier_cache(dir_fd);
	return 0;
}

/* The workers of the previous berthd write with the group of the spool. */
static int check_workers(int dir_fd, const struct identity *id, struct err *err)
{
	struct stat st;

	if (id->can_switch && fstatat(dir_fd, RECORD_SPOOL_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_gid != id->accounts[CHILD_INVOKE].gid)
		return err_set(err, 0, "only a restart changes invoke.user");
	return 0;
}

/* Files that stay in place until the previous berthd has ended can already be read by the new collector. */
static int take(int dir_fd, const struct conf *conf, const struct identity *id, bool shared, struct err *err)
{
	const struct walk spool = {share_spooled, conf, id, CHILD_COLLECTOR};

	if (shared && check_workers(dir_fd, id, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		if (take_entry(dir_fd, &entries[i], id, err) < 0)
			return -1;
	if (id->can_switch)
		walk_below(dir_fd, RECORD_SPOOL_DIR, &spool, 0);
	return 0;
}

int layout_state_dir(const struct conf *conf, const struct identity *id, bool shared, struct err *err)
{
	AUTO(fd_close) int dir_fd = open_path(conf->master_state_dir, id, err);

	if (dir_fd < 0)
		return -1;
	if (take(dir_fd, conf, id, shared, err) < 0)
		return err_prefix(err, "%s", conf->master_state_dir);
	if (!shared && layout_settle(dir_fd, conf, id, err) < 0)
		return -1;
	return TAKE_FD(dir_fd);
}
