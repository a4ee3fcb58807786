#include "ipc/spec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

static int take_str(const json_t *json, const char *name, char **to, struct err *err)
{
	const char *text = json_string_value(json_object_get(json, name));

	if (text == NULL)
		return err_set(err, EINVAL, "function version without '%s'", name);
	*to = mem_strdup(text);
	return 0;
}

static int take_int(const json_t *json, const char *name, int64_t *to, struct err *err)
{
	const json_t *value = json_object_get(json, name);

	if (!json_is_integer(value))
		return err_set(err, EINVAL, "function version without '%s'", name);
	*to = json_integer_value(value);
	return 0;
}

static int take_json(const json_t *json, const char *name, json_t **to, struct err *err)
{
	json_t *value = json_object_get(json, name);

	if (!json_is_object(value))
		return err_set(err, EINVAL, "function version without '%s'", name);
	*to = json_incref(value);
	return 0;
}

int spec_from_json(const json_t *json, struct spec **spec, struct err *err)
{
	AUTO(spec_free) struct spec *s = mem_alloc(sizeof(*s));

#define SPEC_STR(name)                                                                                                         \
	if (take_str(json, #name, &s->name, err) < 0)                                                                          \
		return -1;
#define SPEC_INT(name)                                                                                                         \
	if (take_int(json, #name, &s->name, err) < 0)                                                                          \
		return -1;
#define SPEC_JSON(name)                                                                                                        \
	if (take_json(json, #name, &s->name, err) < 0)                                                                         \
		return -1;
#include "ipc/spec.def"
#undef SPEC_STR
#undef SPEC_INT
#undef SPEC_JSON
	*spec = TAKE_PTR(s);
	return 0;
}

int spec_from_text(const char *text, size_t len, struct spec **spec, struct err *err)
{
	json_error_t e;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);

	if (json == NULL)
		return err_set(err, EINVAL, "function version is no JSON: %s", e.text);
	int rc = spec_from_json(json, spec, err);
	json_decref(json);
	return rc;
}

json_t *spec_to_json(const struct spec *spec)
{
	json_t *json = json_object();

#define SPEC_STR(name)  json_object_set_new(json, #name, json_string(spec->name));
#define SPEC_INT(name)  json_object_set_new(json, #name, json_integer(spec->name));
#define SPEC_JSON(name) json_object_set(json, #name, spec->name);
#include "ipc/spec.def"
#undef SPEC_STR
#undef SPEC_INT
#undef SPEC_JSON
	return json;
}

void spec_free(struct spec **spec)
{
	if (*spec == NULL)
		return;
#define SPEC_STR(name) free((*spec)->name);
#define SPEC_INT(name)
#define SPEC_JSON(name) json_decref((*spec)->name);
#include "ipc/spec.def"
#undef SPEC_STR
#undef SPEC_INT
#undef SPEC_JSON
	mem_free(spec);
}
