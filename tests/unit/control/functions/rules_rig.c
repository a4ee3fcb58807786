#include "tests/unit/control/functions/rules_rig.h"

#include <sys/stat.h>

#include "base/mem.h"

const struct rules_rig_number rules_rig_numbers[] = {
#define NUMBER(field, ...)                                                                                                     \
	{                                                                                                                      \
#field, offsetof(struct spec, field), __VA_ARGS__                                                              \
	}
	NUMBER(timeout_ms, 100, 900000, 3000),
	NUMBER(init_timeout_ms, 100, 60000, 10000),
	NUMBER(memory_limit_mb, 64, 3008, 128),
	NUMBER(tmp_mb, 1, 512, 64),
	NUMBER(tmp_inodes, 16, 131072, 16384),
	NUMBER(pids, 8, 1024, 64),
	NUMBER(nofile, 64, 65536, 1024),
	NUMBER(response_bytes, 1024, 6291456, 6291456),
	NUMBER(log_bytes, 0, 1048576, 262144),
	NUMBER(max_concurrency, 1, 1000, 50),
	NUMBER(min_warm, 0, 10, 0),
#undef NUMBER
	{.field = NULL},
};

static void add_language(const char *dir, const char *name, int min_memory_mb)
{
	char path[200], text[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/runtime.json", dir, name);
	snprintf(text, sizeof(text),
		 "{\"language\":\"%s\",\"command\":[\"x\"],\"source_file\":\"main.x\",\"default_handler\":"
		 "\"main.handler\","
		 "\"min_memory_mb\":%d,\"default_version\":\"2\",\"versions\":["
		 "{\"version\":\"1\",\"image\":\"i\",\"end_of_life\":\"2020-12-31\"},"
		 "{\"version\":\"2\",\"image\":\"i\",\"end_of_life\":\"2100-12-31\"}]}",
		 name, min_memory_mb);
	unit_write_file(path, text);
}

int rules_rig_set_up(void **state)
{
	struct rules_rig *rig = mem_alloc(sizeof(*rig));
	struct err err = {0};

	assert_ok(conf_load_file(NULL, &rig->conf, &err));
	rig->conf->pool_memory_budget_mb = 100000; /* so that the memory of this machine does not matter */
	rig->dir = unit_make_dir();
	add_language(rig->dir, "python", 64);
	add_language(rig->dir, "heavy", 256);
	free(rig->conf->sandbox_runtimes_dir);
	rig->conf->sandbox_runtimes_dir = strdup(rig->dir);
	assert_ok(language_load_all(rig->conf, &rig->languages, &err));
	rig->rules = (struct function_rules){.conf = rig->conf, .languages = rig->languages};
	rig->errors = json_array();
	*state = rig;
	return 0;
}

int rules_rig_tear_down(void **state)
{
	struct rules_rig *rig = *state;

	json_decref(rig->errors);
	language_free(&rig->languages);
	conf_free(&rig->conf);
	unit_remove_dir(&rig->dir);
	free(rig);
	return 0;
}

void rules_rig_set_default_runtime(struct rules_rig *rig, const char *runtime)
{
	free(rig->conf->sandbox_default_runtime);
	rig->conf->sandbox_default_runtime = strdup(runtime);
}

static const char *member(const json_t *error, const char *name)
{
	return json_string_value(json_object_get(error, name)) ?: "";
}

void rules_rig_expect(struct rules_rig *rig, const char *what, const char *field, const char *code)
{
	const json_t *e = json_array_get(rig->errors, 0);
	AUTO(mem_free) char *found = json_dumps(rig->errors, 0);

	if (json_array_size(rig->errors) != 1 || strcmp(member(e, "field"), field) != 0 || strcmp(member(e, "code"), code) != 0)
		fail_msg("%s: expected %s of %s, got %s", what, code, field, found);
	assert_true(strlen(member(e, "message")) > 10);
	json_array_clear(rig->errors);
}
