#include "master/resources/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "runtimes/driver.h"

void settings_free(struct settings *s)
{
	conf_free(&s->conf);
	fd_close(&s->write_fd);
	fd_close(&s->read_fd);
	fd_close(&s->bare_write_fd);
	fd_close(&s->bare_fd);
}

/* The checks that conf/ cannot make, because it is a layer below. */
static int check_runtime(const struct conf *conf, struct err *err)
{
	AUTO(buf_free) struct buf names = {0};

	if (driver_find(conf->sandbox_default_runtime) != NULL)
		return 0;
	for (size_t i = 0; i < driver_count; i++)
		buf_printf(&names, "%s%s", i > 0 ? ", " : "", drivers[i]->name);
	return err_set(err, 0, "sandbox.default_runtime = '%.40s' is none of %s", conf->sandbox_default_runtime,
		       buf_str(&names));
}

static int load(const struct settings *s, struct conf **conf, struct err *err)
{
	AUTO(conf_free) struct conf *loaded = NULL;

	if (conf_load_file(s->path, &loaded, err) < 0)
		return -1;
	if (check_runtime(loaded, err) < 0)
		return err_prefix(err, "%s", s->path);
	*conf = TAKE_PTR(loaded);
	return 0;
}

int settings_read(struct settings *s, struct err *err)
{
	return load(s, &s->conf, err);
}

/*
 * The new text overwrites the old one, and then the rest is cut off. So a child that reads at this moment never finds an empty
 * file, which would mean the defaults. It may find a mixture of old and new, but not for long: the reload that is under way
 * replaces the child or makes it read the file again.
 */
static int write_text(int fd, const struct conf *conf, struct err *err)
{
	AUTO(mem_free) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return err_set(err, errno, "configuration text");
	conf_dump(conf, out);
	if (fclose(out) != 0)
		return err_set(err, errno, "configuration text");
	if (lseek(fd, 0, SEEK_SET) < 0 || fd_write_all(fd, text, len, err) < 0 || ftruncate(fd, (off_t)len) < 0)
		return err_set(err, errno, "share the configuration");
	return 0;
}

/* Writes the configuration without the connection string of PostgreSQL, which may contain a password. */
static int write_bare(int fd, struct conf *conf, struct err *err)
{
	char *conninfo = conf->database_conninfo;
	char nothing[] = "";

	conf->database_conninfo = nothing;
	int rc = write_text(fd, conf, err);
	conf->database_conninfo = conninfo;
	return rc;
}

static int make_file(int *write_fd, int *read_fd, struct err *err)
{
	char path[32];
	AUTO(fd_close) int fd = memfd_create("berth-conf", MFD_CLOEXEC);

	/* A process of another user can open it again only for reading. */
	if (fd < 0 || fchmod(fd, 0444) < 0)
		return err_set(err, errno, "share the configuration");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*read_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*read_fd < 0)
		return err_set(err, errno, "open '%s'", path);
	*write_fd = TAKE_FD(fd);
	return 0;
}

int settings_share(struct settings *s, struct err *err)
{
	if (make_file(&s->write_fd, &s->read_fd, err) < 0 || make_file(&s->bare_write_fd, &s->bare_fd, err) < 0)
		return -1;
	return write_text(s->write_fd, s->conf, err) < 0 ? -1 : write_bare(s->bare_write_fd, s->conf, err);
}

int settings_reload(struct settings *s, struct buf *ignored, struct err *err)
{
	AUTO(conf_free) struct conf *next = NULL;

	if (load(s, &next, err) < 0 || conf_keep_restart(s->conf, next, ignored, err) < 0)
		return -1;
	if (write_text(s->write_fd, next, err) < 0 || write_bare(s->bare_write_fd, next, err) < 0)
		return -1;
	conf_free(&s->conf);
	s->conf = TAKE_PTR(next);
	return 0;
}
