/*
 * The descriptors that a master hands to the one that takes over from it (heir.h), each with a name, as text on the command
 * line: "pid:9,invoke-0.sock:12". The two may have different versions, so each takes the descriptors that it knows by name.
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

void bequest_free(struct bequest *bequest); /* destructor for AUTO: closes the remaining descriptors */

/* Adds a copy of the descriptor. A name has no ':' and no ','. */
int bequest_add(struct bequest *bequest, const char *name, int fd, struct err *err);

/* Takes a descriptor out, which the caller then owns; -1 if there is none with that name. */
int bequest_take(struct bequest *bequest, const char *name);

/* For a process that is about to execute the new program: keeps the descriptors open across exec. Returns the text, which the
 * caller frees. */
char *bequest_leave_new(const struct bequest *bequest, struct err *err);

/* Reads that text: the bequest then owns the descriptors, which become close-on-exec. On failure it is unchanged. */
int bequest_parse(const char *text, struct bequest *bequest, struct err *err);

#endif
