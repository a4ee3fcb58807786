#include "poolmgr/catalog/init_payload.h"

#include <string.h>

#include "base/mem.h"
#include "tests/unit/unit.h"

static json_t *payload(const struct spec *spec, const char *sandbox_id)
{
	AUTO(mem_free) char *text = init_payload_new(spec, sandbox_id);

	return json_loads(text, 0, NULL);
}

static const char *told(const json_t *init, const char *name)
{
	return json_string_value(json_object_get(json_object_get(init, "function"), name));
}

static void a_sandbox_is_told_its_id_and_the_region_and_account_of_the_moment(void **state)
{
	AUTO(conf_free) struct conf *conf = NULL;
	AUTO(spec_free) struct spec *spec = spec_new();
	struct err err;

	(void)state;
	assert_ok(conf_load_file(NULL, &conf, &err));
	init_payload_set_conf(conf);
	json_t *first = payload(spec, "00112233445566aa");
	assert_string_equal(told(first, "sandbox_id"), "00112233445566aa");
	assert_string_equal(told(first, "region"), "us-east-1");
	assert_string_equal(told(first, "account_id"), "000000000000");
	json_decref(first);

	free(conf->lambda_region);
	conf->lambda_region = mem_strdup("eu-central-1");
	json_t *second = payload(spec, "00112233445566bb");
	assert_string_equal(told(second, "sandbox_id"), "00112233445566bb");
	assert_string_equal(told(second, "region"), "eu-central-1");
	json_decref(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sandbox_is_told_its_id_and_the_region_and_account_of_the_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
