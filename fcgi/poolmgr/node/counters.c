#include "poolmgr/node/counters.h"

uint64_t counters[COUNTER_COUNT];

json_t *counters_json(void)
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
