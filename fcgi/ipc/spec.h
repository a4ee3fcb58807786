/*
 * One version of a function, as a control worker deploys it, PostgreSQL keeps it and poolmgr runs it. Its members are the rows
 * of ipc/function.def.
 */
#ifndef IPC_SPEC_H
#define IPC_SPEC_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct spec {
#define SPEC_TYPE_STR                            char *
#define SPEC_TYPE_INT                            int64_t
#define SPEC_TYPE_JSON                           json_t *
#define FUNCTION_GIVEN(field, member, kind, ...) SPEC_TYPE_##kind member;
#define FUNCTION_FIELD(field, member, kind, ...) SPEC_TYPE_##kind member;
#include "ipc/function.def"
#undef SPEC_TYPE_STR
#undef SPEC_TYPE_INT
#undef SPEC_TYPE_JSON
};

/* What there is of it, for whoever goes through all members. */
enum spec_kind {
	SPEC_STR,  /* char *, never NULL */
	SPEC_INT,  /* int64_t */
	SPEC_JSON, /* json_t *, an object */
};
struct spec_member {
	const char *name; /* in JSON, and of the column in PostgreSQL */
	enum spec_kind kind;
	size_t offset; /* in struct spec */
};
enum {
	SPEC_MEMBERS = 0
#define FUNCTION_GIVEN(...) +1
#define FUNCTION_FIELD(...) +1
#include "ipc/function.def"
};
extern const struct spec_member spec_members[SPEC_MEMBERS];

/* Texts and objects that are empty, numbers that are 0. The caller owns it: spec_free. */
struct spec *spec_new(void);

/* All members must be there with the right type; others are ignored. The caller owns *spec: spec_free. */
int spec_from_json(const json_t *json, struct spec **spec, struct err *err);
int spec_from_text(const char *text, size_t len, struct spec **spec, struct err *err);

/* A new reference. */
json_t *spec_to_json(const struct spec *spec);

/* Destructor for AUTO; accepts NULL, and a spec of zeros. */
void spec_free(struct spec **spec);

#endif
