/*
 * The configuration as the master holds it: its source, and the memory file that carries it to the children. A reload rewrites
 * the memory file in place, so that a child that keeps running finds the new text at the same descriptor.
 */
#ifndef MASTER_RESOURCES_SETTINGS_H
#define MASTER_RESOURCES_SETTINGS_H

#include "base/err.h"
#include "conf/conf.h"

struct settings {
	const char *path;  /* borrowed */
	struct conf *conf; /* owned; NULL until settings_read */
	/*
	 * All owned; -1 until settings_share. Children get read_fd, or bare_fd, which does not contain the connection string
	 * of PostgreSQL, and cannot make either writable.
	 */
	int write_fd, read_fd, bare_write_fd, bare_fd;
};

#define SETTINGS_NO_FDS .write_fd = -1, .read_fd = -1, .bare_write_fd = -1, .bare_fd = -1

void settings_free(struct settings *s); /* destructor for AUTO */

int settings_read(struct settings *s, struct err *err);

int settings_share(struct settings *s, struct err *err);

/*
 * Reads the file again and shares its content. Settings that only a restart can change keep their values; *ignored (owned by
 * the caller) lists their names. On failure everything is unchanged.
 */
int settings_reload(struct settings *s, struct buf *ignored, struct err *err);

#endif
