/* One version of a function, as a control worker deploys it, PostgreSQL keeps it and poolmgr runs it. */
#ifndef IPC_SPEC_H
#define IPC_SPEC_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

struct spec {
#define SPEC_STR(name)  char *name;
#define SPEC_INT(name)  int64_t name;
#define SPEC_JSON(name) json_t *name;
#include "ipc/spec.def"
#undef SPEC_STR
#undef SPEC_INT
#undef SPEC_JSON
};

/* All members must be present with the right type; other members are ignored. The caller owns *spec: spec_free. */
int spec_from_json(const json_t *json, struct spec **spec, struct err *err);
int spec_from_text(const char *text, size_t len, struct spec **spec, struct err *err);

/* A new reference. */
json_t *spec_to_json(const struct spec *spec);

/* Destructor for AUTO; accepts NULL. */
void spec_free(struct spec **spec);

#endif
