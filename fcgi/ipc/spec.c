#include "ipc/spec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

const struct spec_member spec_members[SPEC_MEMBERS] = {
#define MEMBER(member, kind)                     {#member, SPEC_##kind, offsetof(struct spec, member)},
#define FUNCTION_GIVEN(field, member, kind, ...) MEMBER(member, kind)
#define FUNCTION_FIELD(field, member, kind, ...) MEMBER(member, kind)
#include "ipc/function.def"
#undef MEMBER
};

static void *at(const struct spec *spec, const struct spec_member *m)
{
	return (char *)spec + m->offset;
}

struct spec *spec_new(void)
{
	struct spec *s = mem_alloc(sizeof(*s));

	for (const struct spec_member *m = spec_members; m < spec_members + SPEC_MEMBERS; m++) {
		if (m->kind == SPEC_STR)
			*(char **)at(s, m) = mem_strdup("");
		else if (m->kind == SPEC_JSON)
			*(json_t **)at(s, m) = json_object();
	}
	return s;
}

/* Into a member that has nothing yet. */
static int take(const struct spec_member *m, json_t *value, void *to, struct err *err)
{
	switch (m->kind) {
	case SPEC_STR:
		if (!json_is_string(value))
			break;
		*(char **)to = mem_strdup(json_string_value(value));
		return 0;
	case SPEC_INT:
		if (!json_is_integer(value))
			break;
		*(int64_t *)to = json_integer_value(value);
		return 0;
	case SPEC_JSON:
		if (!json_is_object(value))
			break;
		*(json_t **)to = json_incref(value);
		return 0;
	}
	return err_set(err, EINVAL, "function version without '%s'", m->name);
}

int spec_from_json(const json_t *json, struct spec **spec, struct err *err)
{
	AUTO(spec_free) struct spec *s = mem_alloc(sizeof(*s));

	for (const struct spec_member *m = spec_members; m < spec_members + SPEC_MEMBERS; m++)
		if (take(m, json_object_get(json, m->name), at(s, m), err) < 0)
			return -1;
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

static json_t *to_json(const struct spec *spec, const struct spec_member *m)
{
	switch (m->kind) {
	case SPEC_STR:
		return json_string(*(char **)at(spec, m));
	case SPEC_INT:
		return json_integer(*(int64_t *)at(spec, m));
	case SPEC_JSON:
		return json_incref(*(json_t **)at(spec, m));
	}
	return NULL;
}

json_t *spec_to_json(const struct spec *spec)
{
	json_t *json = json_object();

	for (const struct spec_member *m = spec_members; m < spec_members + SPEC_MEMBERS; m++)
		json_object_set_new(json, m->name, to_json(spec, m));
	return json;
}

void spec_free(struct spec **spec)
{
	if (*spec == NULL)
		return;
	for (const struct spec_member *m = spec_members; m < spec_members + SPEC_MEMBERS; m++) {
		if (m->kind == SPEC_STR)
			free(*(char **)at(*spec, m));
		else if (m->kind == SPEC_JSON)
			json_decref(*(json_t **)at(*spec, m));
	}
	mem_free(spec);
}
