/* The description of the API as it is, and what is said when it and the code do not agree. */
#include "openapi/openapi.h"

#include "base/mem.h"
#include "tests/unit/unit.h"

static const char *const parts[] = {"platform", "problems", "functions", "execute", "invocations", "metrics", "health"};

static int read_parts(void **state)
{
	static struct document d;
	const char *srcdir = getenv("srcdir"); /* automake's */
	struct err err;

	document_init(&d);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		AUTO(mem_free) char *path = mem_printf("%s/fcgi/openapi/%s.json", srcdir ? srcdir : ".", parts[i]);
		assert_ok(document_add(&d, path, &err));
	}
	*state = &d;
	return 0;
}

static int forget(void **state)
{
	document_clear(*state);
	return 0;
}

static void complete(struct document *d)
{
	struct operations_table tables[OPENAPI_SERVICES];

	openapi_routes(tables);
	openapi_complete(d, tables, OPENAPI_SERVICES);
}

/* Just this fault, and no other one. */
static void assert_fault(const struct document *d, const char *text)
{
	const char *first = json_string_value(json_array_get(d->faults, 0));

	if (first == NULL || json_array_size(d->faults) != 1 || strcmp(first, text) != 0)
		fail_msg("%zu faults, the first '%s', instead of '%s'", json_array_size(d->faults), first ? first : "", text);
}

/* Borrowed; path has names and, in arrays, numbers, with blanks between. */
static json_t *at(const struct document *d, const char *path)
{
	AUTO(mem_free) char *names = mem_strdup(path);
	json_t *node = d->root;

	for (char *rest = names, *name; (name = strsep(&rest, " ")) != NULL;)
		node = json_is_array(node) ? json_array_get(node, strtoul(name, NULL, 10)) : json_object_get(node, name);
	assert_non_null(node);
	return node;
}

static void everything_is_described(void **state)
{
	struct document *d = *state;

	complete(d);
	assert_int_equal(json_array_size(d->faults), 0);
	assert_string_equal(json_string_value(at(d, "info version")), PACKAGE_VERSION);
	assert_non_null(at(d, "components schemas FunctionSettings properties pids description"));
	assert_non_null(at(d, "components schemas FunctionInput properties code"));
	assert_non_null(at(d, "components schemas FunctionLimits properties cpus"));
	assert_non_null(at(d, "components schemas FunctionSettingLimits properties environment"));
	assert_null(json_object_get(d->root, "x-problems"));
}

/* The words at a path, with blanks between. */
static void assert_words(const struct document *d, const char *path, const char *words)
{
	AUTO(mem_free) char *text = mem_strdup(words);
	json_t *list = at(d, path);
	size_t i = 0;

	for (char *rest = text, *word; (word = strsep(&rest, " ")) != NULL; i++)
		assert_string_equal(json_string_value(json_array_get(list, i)), word);
	assert_int_equal(json_array_size(list), i);
}

static void what_the_code_has_a_table_of_is_listed_from_it(void **state)
{
	struct document *d = *state;

	complete(d);
	assert_words(d, "components schemas RequiredFields required", "name language code");
	assert_words(d, "components schemas StartKind enum", "warm prewarmed cold");
	assert_words(d, "components schemas LogLevel enum", "trace debug info warning error critical platform");
	assert_words(d, "components schemas FunctionState properties status enum", "trial current superseded");
	assert_words(d, "components schemas FieldError properties code enum",
		     "required wrong_type invalid_value out_of_range too_large unknown_field reserved no_effect not_found "
		     "no_stored_value "
		     "does_not_compile handler_not_found");
	assert_words(d, "components schemas ThrottledReason enum",
		     "client_rate queue_full function_concurrency too_many_follow too_many_requests");
}

static void a_route_that_is_not_described_is_a_fault(void **state)
{
	static const struct route more[] = {{METHOD_PUT, "/functions/{id}/icon", "", ROUTE_NO_BODY, NULL}};
	struct document *d = *state;
	struct operations_table tables[OPENAPI_SERVICES + 1];

	openapi_routes(tables);
	tables[OPENAPI_SERVICES] = (struct operations_table){more, 1};
	openapi_complete(d, tables, OPENAPI_SERVICES + 1);
	assert_fault(d, "PUT /functions/{id}/icon is not described");
}

static void a_path_without_a_route_is_a_fault(void **state)
{
	struct document *d = *state;

	json_object_set(at(d, "paths"), "/icons", at(d, "paths /healthz"));
	complete(d);
	assert_fault(d, "get /icons is described, but there is no such route");
}

static void query_parameters_are_those_of_the_route(void **state)
{
	struct document *d = *state;
	json_t *list = at(d, "paths /functions get parameters");

	json_object_set_new(json_array_get(list, 0), "name", json_string("most"));
	complete(d);
	assert_int_equal(json_array_size(d->faults), 2);
	assert_string_equal(json_string_value(at(d, "paths /functions get parameters 0 name")), "most");
	assert_string_equal(json_string_value(json_array_get(d->faults, 0)),
			    "GET /functions: the parameter 'limit' is not described");
	assert_string_equal(json_string_value(json_array_get(d->faults, 1)),
			    "GET /functions: the parameter 'most' is described, but the route does not take it");
}

static void a_parameter_without_an_example_is_a_fault(void **state)
{
	struct document *d = *state;

	json_object_del(at(d, "components parameters InvocationId"), "example");
	complete(d);
	assert_int_equal(json_array_size(d->faults), 2); /* two paths have it */
	assert_string_equal(json_string_value(json_array_get(d->faults, 0)),
			    "GET /invocations/{id}: the parameter 'id' has no example");
}

static void a_body_is_described_where_one_is_read(void **state)
{
	struct document *d = *state;

	json_object_set(at(d, "paths /functions get"), "requestBody", at(d, "paths /functions post requestBody"));
	json_object_del(at(d, "paths /functions post"), "requestBody");
	complete(d);
	assert_int_equal(json_array_size(d->faults), 2);
	assert_string_equal(json_string_value(json_array_get(d->faults, 0)), "POST /functions: its body is not described");
	assert_string_equal(json_string_value(json_array_get(d->faults, 1)),
			    "GET /functions: a body is described, but not read");
}

static void a_property_without_a_description_is_a_fault(void **state)
{
	struct document *d = *state;

	json_object_del(at(d, "components schemas Log properties lines"), "description");
	complete(d);
	assert_fault(d, "Log: the property 'lines' has no description");
}

static void a_field_of_a_table_that_is_not_described_is_a_fault(void **state)
{
	static const struct {
		const char *schema, *field;
	} fields[] = {{"Invocation", "alias"},
		      {"Machines", "waiting"},
		      {"SandboxStates", "idle"},
		      {"ProcessStates", "busy"},
		      {"Counters", "kills"}};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct document *d = *state;
		AUTO(mem_free) char *path = mem_printf("components schemas %s properties", fields[i].schema);
		AUTO(mem_free)
		char *fault = mem_printf("%s: the property '%s' is not described", fields[i].schema, fields[i].field);
		json_object_del(at(d, path), fields[i].field);
		complete(d);
		assert_string_equal(json_string_value(json_array_get(d->faults, 0)), fault);
		forget(state);
		read_parts(state);
	}
}

static void a_described_field_that_does_not_exist_is_a_fault(void **state)
{
	static const char *const schemas[] = {"Invocation", "Machines", "SandboxStates", "Counters"};

	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		struct document *d = *state;
		AUTO(mem_free) char *path = mem_printf("components schemas %s properties", schemas[i]);
		AUTO(mem_free)
		char *fault = mem_printf("%s: the property 'colour' is described, but does not exist", schemas[i]);
		json_object_set_new(at(d, path), "colour", json_pack("{s:s}", "description", "Its colour."));
		complete(d);
		assert_string_equal(json_string_value(json_array_get(d->faults, 0)), fault);
		forget(state);
		read_parts(state);
	}
}

static void a_code_that_no_operation_answers_is_a_fault(void **state)
{
	struct document *d = *state;

	json_array_remove(at(d, "x-problems elsewhere"), 0);
	complete(d);
	assert_fault(d, "no operation answers 'forbidden' of ipc/problem.def");
}

static void a_code_that_does_not_exist_is_a_fault(void **state)
{
	struct document *d = *state;

	json_object_set_new(at(d, "paths /healthz get"), "x-problems", json_pack("[s]", "ill"));
	complete(d);
	assert_fault(d, "GET /healthz: 'ill' is no code of ipc/problem.def");
}

static void a_reference_to_nothing_is_a_fault(void **state)
{
	struct document *d = *state;

	json_object_del(at(d, "components schemas"), "Phase");
	complete(d);
	assert_true(json_array_size(d->faults) > 0);
	assert_string_equal(json_string_value(json_array_get(d->faults, 0)),
			    "'#/components/schemas/Phase' is referred to, but does not exist");
}

static void a_component_that_nothing_refers_to_is_a_fault(void **state)
{
	struct document *d = *state;

	json_object_set_new(at(d, "components schemas"), "Colour", json_pack("{s:s}", "description", "A colour."));
	complete(d);
	assert_fault(d, "'#/components/schemas/Colour' is used by nothing");
}

static void an_operation_answers_what_it_says_and_what_follows_from_what_it_is(void **state)
{
	struct document *d = *state;

	complete(d);
	assert_string_equal(json_string_value(at(d, "paths /functions/{id} put responses 409 $ref")),
			    "#/components/responses/NameTaken");
	assert_string_equal(json_string_value(at(d, "paths /functions/{id} put responses 404 $ref")),
			    "#/components/responses/NotFound");
	assert_string_equal(json_string_value(at(d, "paths /functions/{id} put responses 403 $ref")),
			    "#/components/responses/CrossSite");
	assert_null(json_object_get(at(d, "paths /functions/{id} get responses"), "403"));
	assert_null(json_object_get(at(d, "paths /healthz get responses"), "404"));
	/* Several of one status: code says which. */
	assert_string_equal(
		json_string_value(at(d, "paths /execute/{id} post responses 504 content application/problem+json schema "
					"discriminator mapping function_timeout")),
		"#/components/schemas/FunctionTimeoutProblem");
	assert_non_null(at(d, "paths /execute/{id} post responses 504 headers Berth-Start"));
	assert_non_null(at(d, "paths /execute/{id} post responses 503 headers Retry-After"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, read_parts, forget)
		TEST(everything_is_described),
		TEST(what_the_code_has_a_table_of_is_listed_from_it),
		TEST(a_route_that_is_not_described_is_a_fault),
		TEST(a_path_without_a_route_is_a_fault),
		TEST(query_parameters_are_those_of_the_route),
		TEST(a_parameter_without_an_example_is_a_fault),
		TEST(a_body_is_described_where_one_is_read),
		TEST(a_property_without_a_description_is_a_fault),
		TEST(a_field_of_a_table_that_is_not_described_is_a_fault),
		TEST(a_described_field_that_does_not_exist_is_a_fault),
		TEST(a_code_that_no_operation_answers_is_a_fault),
		TEST(a_code_that_does_not_exist_is_a_fault),
		TEST(a_reference_to_nothing_is_a_fault),
		TEST(a_component_that_nothing_refers_to_is_a_fault),
		TEST(an_operation_answers_what_it_says_and_what_follows_from_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
