/*
 * The descriptors that a master hands to its successor (successor.h), each with a name, as text on the command line:
 * "pid:9,invoke-0.sock:12". The two may have different versions, so each takes the descriptors that it knows by name.
 */
#ifndef MASTER_RESOURCES_HANDOVER_H
#define MASTER_RESOURCES_HANDOVER_H

#include "base/err.h"

struct handover_item {
	char *name;
	int fd; /* owned */
};

/* Zero-initialised is empty. */
struct handover {
	struct handover_item *items;
	int count;
};

void handover_free(struct handover *handover); /* destructor for AUTO: closes the remaining descriptors */

/* Adds a copy of the descriptor. A name has no ':' and no ','. */
int handover_add(struct handover *handover, const char *name, int fd, struct err *err);

/* Takes a descriptor out, which the caller then owns; -1 if there is none with that name. */
int handover_take(struct handover *handover, const char *name);

/* For a process that is about to execute the new program: keeps the descriptors open across exec. Returns the text, which the
 * caller frees. */
char *handover_text_new(const struct handover *handover, struct err *err);

/* Reads that text: the handover then owns the descriptors, which become close-on-exec. On failure it is unchanged. */
int handover_parse(const char *text, struct handover *handover, struct err *err);

#endif
