/*
 * An HTTP request as nginx passes it on. The input's lines are method, URI, query, and then variables: NAME=value. An empty
 * line among the first three stands for one that is absent.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "http/request.h"

#define MAX_VARIABLES 16

struct input {
	char *lines[3 + MAX_VARIABLES];
	int count;
};

static const char *line(const struct input *in, int i)
{
	return i < in->count && in->lines[i][0] != '\0' ? in->lines[i] : NULL;
}

static const char *variable(void *context, const char *name)
{
	const struct input *in = context;
	size_t len = strlen(name);

	for (int i = 3; i < in->count; i++)
		if (strncmp(in->lines[i], name, len) == 0 && in->lines[i][len] == '=')
			return in->lines[i] + len + 1;
	return NULL;
}

static void check_text(const char *text, size_t size)
{
	assert(memchr(text, '\0', size) != NULL);
}

static void check_printable(const char *text, const char *without)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		assert(*p >= 0x20 && *p < 0x7f && strchr(without, *p) == NULL);
}

static void check(const struct request *r, int rc)
{
	assert(r->method >= 0 && r->method < METHOD_COUNT);
	check_text(r->path, sizeof(r->path));
	check_text(r->id, sizeof(r->id));
	assert(r->id[0] != '\0');
	check_printable(r->id, "\"\\");
	if (rc < 0)
		return;
	check_text(r->traceparent, sizeof(r->traceparent));
	check_text(r->content_type, sizeof(r->content_type));
	check_text(r->if_match, sizeof(r->if_match));
	check_text(r->caller, sizeof(r->caller));
	check_printable(r->caller, " \"\\");
	assert(r->content_length >= 0 && r->segment_count >= 0 && r->segment_count <= REQUEST_SEGMENTS_MAX);
	for (int i = 0; i < r->segment_count; i++)
		check_printable(r->segments[i], "/");
	assert(r->param_count >= 0 && r->param_count <= REQUEST_PARAMS_MAX);
	for (int i = 0; i < r->param_count; i++) {
		check_printable(r->params[i].name, "");
		check_printable(r->params[i].value, "");
		assert(request_param(r, r->params[i].name) != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem_free) char *text = mem_strndup((const char *)data, size);
	static struct request request;
	struct input in = {0};
	char *rest = text;
	struct err err;

	while (rest != NULL && in.count < (int)ARRAY_SIZE(in.lines))
		in.lines[in.count++] = strsep(&rest, "\n");
	struct request_source source = {line(&in, 0), line(&in, 1), line(&in, 2), variable, &in};
	check(&request, request_parse(&source, &request, &err));
	return 0;
}
