/*
 * What an agent reports when a function fails: the payload of ERROR and INIT_ERROR. The function may have written it, so the
 * type of every member is checked and texts are cut to a sane length. It goes to the caller of the function and into the
 * record, so the function's secrets are masked.
 */
#ifndef RUN_AGENT_ERROR_H
#define RUN_AGENT_ERROR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "output/mask.h"

#define AGENT_ERROR_MAX 131072 /* a longer payload breaks the protocol */

struct agent_error {
	char kind[32];                          /* "function", "invalid_output", "syntax", …; the set is not fixed */
	char invocation_id[UUID_TEXT_SIZE + 1]; /* "" when there is none; a longer one is cut and matches no invocation */
	json_t *error;                          /* owned; for the client: {"type", "message", "stack": […]} */
	int64_t line;                           /* line of a syntax error; 0 when not given */
	int64_t size_bytes;                     /* size of an output that was too large; 0 when not given */
	bool exiting;                           /* the agent ends after this */
};

int agent_error_parse(const char *payload, size_t len, struct mask *mask, struct agent_error *e, struct err *err);
void agent_error_clear(struct agent_error *e); /* destructor for AUTO */

const char *agent_error_type(const struct agent_error *e);
const char *agent_error_message(const struct agent_error *e);

#endif
