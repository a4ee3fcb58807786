#include "poolmgr/node/counters.h"

#include <jansson.h>

#include "tests/unit/unit.h"

static void every_row_is_told_under_its_own_name(void **state)
{
	json_t *json = counters_json(), *family;
	const char *name;
	size_t told = 0;

	(void)state;
	json_object_foreach (json, name, family)
		told += json_object_size(family);
	assert_int_equal(told, COUNTER_COUNT);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_told_under_its_own_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
