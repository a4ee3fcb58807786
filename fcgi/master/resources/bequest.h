/*
 * What a master hands to the one that takes over from it (heir.h): open descriptors, each with a name, as text on the command
 * line: "pid:9,invoke-0.sock:12". The two may be of different versions, so each takes what it knows by name.
 */
#ifndef MASTER_RESOURCES_BEQUEST_H
#define MASTER_RESOURCES_BEQUEST_H

#include "base/err.h"

struct bequest_item {
	char *name;
	int fd; /* owned */
};

/* Zero-initialised is empty. */
struct bequest {
	struct bequest_item *items;
	int count;
};

void bequest_free(struct bequest *bequest); /* destructor for AUTO: closes what is left */

/* Adds a copy of the descriptor. A name has no ':' and no ','. */
int bequest_add(struct bequest *bequest, const char *name, int fd, struct err *err);

/* Takes a descriptor out, which is the caller's then; -1 when there is none of that name. */
int bequest_take(struct bequest *bequest, const char *name);

/* For a process that is about to execute the new program: they stay open across that. Returns the text; the caller frees it. */
char *bequest_leave_new(const struct bequest *bequest, struct err *err);

/* From that text: the descriptors become the bequest's, and close-on-exec. On failure it is as before. */
int bequest_parse(const char *text, struct bequest *bequest, struct err *err);

#endif
