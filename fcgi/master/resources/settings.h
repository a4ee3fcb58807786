/*
 * The configuration as the master holds it: where it comes from, and the memory file that carries it to the children.
 * The file is rewritten in place at a reload, so that a child that lives on finds the new text under the number it knows.
 */
#ifndef MASTER_RESOURCES_SETTINGS_H
#define MASTER_RESOURCES_SETTINGS_H

#include "base/err.h"
#include "conf/conf.h"

struct settings {
	const char *path;  /* borrowed */
	struct conf *conf; /* owned; NULL until settings_read */
	/*
	 * All owned, -1 until settings_share. Children get read_fd, or bare_fd, which does not say how to connect to
	 * PostgreSQL, and cannot make either writable.
	 */
	int write_fd, read_fd, bare_write_fd, bare_fd;
};

#define SETTINGS_NO_FDS .write_fd = -1, .read_fd = -1, .bare_write_fd = -1, .bare_fd = -1

void settings_free(struct settings *s); /* destructor for AUTO */

int settings_read(struct settings *s, struct err *err);

int settings_share(struct settings *s, struct err *err);

/*
 * Reads the file again and shares what it says. What only a restart can change keeps its value; *ignored (owned by the caller)
 * names it. On failure everything stays as it was.
 */
int settings_reload(struct settings *s, struct buf *ignored, struct err *err);

#endif
