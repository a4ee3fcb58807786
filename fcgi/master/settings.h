/*
 * The configuration as the master holds it: where it comes from, and the memory file that carries it to the children.
 * The file is rewritten in place at a reload, so that a child that lives on finds the new text under the number it knows.
 */
#ifndef MASTER_SETTINGS_H
#define MASTER_SETTINGS_H

#include "base/err.h"
#include "conf/conf.h"

struct settings {
	const char *path;      /* borrowed */
	struct conf *conf;     /* owned; NULL until settings_read */
	int write_fd, read_fd; /* owned, -1 until settings_share; children get read_fd and cannot make it writable */
};

void settings_free(struct settings *s); /* destructor for AUTO */

int settings_read(struct settings *s, struct err *err);

int settings_share(struct settings *s, struct err *err);

/*
 * Reads the file again and shares what it says. What only a restart can change keeps its value; *ignored (owned by the caller)
 * names it. On failure everything stays as it was.
 */
int settings_reload(struct settings *s, struct buf *ignored, struct err *err);

#endif
