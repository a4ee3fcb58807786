/*
 * What a function prints while it is loaded ahead: for min_warm, or by the deployment that tries it. It is kept, marks
 * included, until the first invocation, whose log begins with it, and travels with the sandbox (ipc/ipc_msg.def).
 */
#ifndef OUTPUT_LOADED_H
#define OUTPUT_LOADED_H

#include "output/printed.h"

#define LOADED_MAX 32768 /* bytes of a stream; a message has room for both */

/* Zero-initialise it. */
struct loaded {
	struct buf texts[PRINTED_STREAMS];
	uint64_t lost; /* bytes for which there was no room */
};

void loaded_free(struct loaded *loaded);
void loaded_add(struct loaded *loaded, enum printed_stream stream, const char *text, size_t len);

/* Makes it the beginning of what an invocation prints, and empties it. */
void loaded_give(struct loaded *loaded, struct printed *printed);

#endif
