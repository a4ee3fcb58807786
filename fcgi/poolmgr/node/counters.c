#include "poolmgr/node/counters.h"

#include <string.h>

uint64_t counters[COUNTER_COUNT];

const struct counter_row counter_rows[COUNTER_COUNT] = {
#define COUNTER(NAME, family, label, text) [COUNT_##NAME] = {#family, #label, text},
#include "ipc/counter.def"
#undef COUNTER
};

enum counter counter_labelled(const char *family, const char *label, enum counter fallback)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		if (strcmp(counter_rows[i].family, family) == 0 && strcmp(counter_rows[i].label, label) == 0)
			return (enum counter)i;
	return fallback;
}

enum counter counter_saying(const char *family, struct str text, enum counter fallback)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		if (strcmp(counter_rows[i].family, family) == 0 && strlen(counter_rows[i].text) == text.len &&
		    memcmp(counter_rows[i].text, text.data, text.len) == 0)
			return (enum counter)i;
	return fallback;
}

json_t *counter_json(void)
{
	json_t *json = json_object();

	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		json_t *family = json_object_get(json, counter_rows[i].family);
		if (family == NULL)
			json_object_set_new(json, counter_rows[i].family, family = json_object());
		json_object_set_new(family, counter_rows[i].label, json_integer((json_int_t)counters[i]));
	}
	return json;
}
