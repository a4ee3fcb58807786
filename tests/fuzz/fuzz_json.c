/* JSON that is passed on without being built: the scanner may accept more than jansson can represent, never less. */
#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/json_scan.h"
#include "fuzz.h"

static int count_member(void *context, const struct json_scan_member *member)
{
	int *count = context;

	assert(member->name_len == 0 || member->name[0] != '"');
	*count += 1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct json_scan_error error = {0};
	int members = 0;
	struct json_scan_visitor visitor = {count_member, &members};

	int rc = json_scan(text, size, NULL, &error);
	assert(rc == 0 || (error.what != NULL && error.line >= 1 && error.column >= 1));
	/* A NUL byte ends the text for jansson here and there; it is no JSON. */
	bool comparable = size == 0 || memchr(text, '\0', size) == NULL;
	json_t *json = comparable ? json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
	assert(json == NULL || rc == 0);

	assert(json_scan(text, size, &visitor, &error) == rc);
	/* jansson keeps one of two members of the same name. */
	assert(json == NULL || (size_t)members >= json_object_size(json));
	json_decref(json);
	return 0;
}
