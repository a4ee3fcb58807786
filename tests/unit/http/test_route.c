#include "http/route.h"

#include <stdbool.h>

#include "conf/conf.h"
#include "control/control.h"
#include "http/response.h"
#include "invoke/invoke.h"
#include "tests/unit/unit.h"

struct fixture {
	struct conf *conf;
	struct request request;
	struct response response;
	const char *content_type; /* of requests with a body */
	bool foreign;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(conf_load_file(NULL, &f->conf, NULL), 0);
	f->content_type = "application/json";
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	response_free(&f->response);
	conf_free(&f->conf);
	free(f);
	return 0;
}

static const struct route *select_route(struct fixture *f, const struct service *service, const char *method, const char *uri,
					const char *query, int64_t length)
{
	struct request_source source = {.method = method, .uri = uri, .query = query};

	struct err err = {0};

	assert_ok(request_parse(&source, &f->request, &err));
	f->request.content_length = length;
	f->request.foreign = f->foreign;
	if (length > 0)
		snprintf(f->request.content_type, sizeof(f->request.content_type), "%s", f->content_type);
	response_begin(&f->response, &f->request);
	return route_select(service->routes, service->route_count, f->conf, &f->request, &f->response);
}

static void assert_answer(const struct fixture *f, int status, const char *part)
{
	assert_int_equal(f->response.status, status);
	if (strstr(buf_str(&f->response.out), part) == NULL)
		fail_msg("no '%s' in: %s", part, buf_str(&f->response.out));
}

/* Asks for a route by its own pattern, with "thing" in it. */
static const struct route *select_itself(struct fixture *f, const struct service *service, const struct route *route,
					 int64_t length)
{
	const char *brace = strchr(route->pattern, '{');
	char uri[128];

	if (brace != NULL)
		snprintf(uri, sizeof(uri), "%.*sthing%s", (int)(brace - route->pattern), route->pattern,
			 strchr(brace, '}') + 1);
	else
		snprintf(uri, sizeof(uri), "%s", route->pattern);
	return select_route(f, service, request_method_name(route->method), uri, "", length);
}

static void find_every_route(struct fixture *f, const struct service *service)
{
	for (size_t i = 0; i < service->route_count; i++) {
		const struct route *route = &service->routes[i];
		assert_ptr_equal(select_itself(f, service, route, 0), route);
		assert_non_null(route->handler);
	}
}

static void every_route_is_found_by_its_own_pattern(void **state)
{
	find_every_route(*state, &invoke_service);
	find_every_route(*state, &control_service);
}

static void an_unknown_path_is_not_found(void **state)
{
	static const char *const paths[] = {"/",        "/nothing",    "/functions/", "/functions/a/b",
					    "/functio", "/functionss", "/healthz/x"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_null(select_route(*state, &control_service, "GET", paths[i], "", 0));
		assert_answer(*state, 404, "\"code\":\"not_found\"");
	}
}

static void what_cannot_be_a_name_or_an_id_is_not_found(void **state)
{
	char longest[80] = "/execute/", too_long[80] = "/execute/";

	memset(longest + strlen(longest), 'a', 63);
	memset(too_long + strlen(too_long), 'a', 64);
	assert_non_null(select_route(*state, &invoke_service, "POST", longest, "", 0));
	assert_non_null(select_route(*state, &invoke_service, "POST", "/execute/01a20883-f00e-7ac7-bafa-a8c846d26ff8", "", 0));
	const char *const paths[] = {too_long, "/execute/a.b", "/execute/a:b", "/execute/~a"};
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_null(select_route(*state, &invoke_service, "POST", paths[i], "", 0));
		assert_answer(*state, 404, "\"code\":\"not_found\"");
	}
}

static void a_pool_does_not_serve_the_routes_of_the_other(void **state)
{
	assert_null(select_route(*state, &control_service, "POST", "/execute/x", "", 0));
	assert_answer(*state, 404, "not_found");
	assert_null(select_route(*state, &invoke_service, "GET", "/functions", "", 0));
	assert_answer(*state, 404, "not_found");
}

static void a_method_that_is_not_there_is_answered_with_those_that_are(void **state)
{
	assert_null(select_route(*state, &control_service, "DELETE", "/functions", "", 0));
	assert_answer(*state, 405, "Allow: GET, HEAD, POST\r\n");
	assert_null(select_route(*state, &invoke_service, "PATCH", "/execute/x", "", 0));
	assert_answer(*state, 405, "Allow: POST\r\n");
}

static void head_is_answered_as_get(void **state)
{
	assert_non_null(select_route(*state, &control_service, "HEAD", "/healthz", "", 0));
}

static void an_unknown_parameter_is_refused_by_name(void **state)
{
	assert_non_null(select_route(*state, &control_service, "GET", "/functions", "cursor=x&limit=2", 0));
	assert_null(select_route(*state, &control_service, "GET", "/functions", "limi=2", 0));
	assert_answer(*state, 400, "Unknown query parameter 'limi'; this endpoint takes limit cursor");
	assert_null(select_route(*state, &invoke_service, "POST", "/execute/x", "verison=2", 0));
	assert_answer(*state, 400, "invalid_request");
}

static void a_body_over_the_limit_is_refused_before_it_is_read(void **state)
{
	struct fixture *f = *state;

	assert_non_null(select_route(f, &invoke_service, "POST", "/execute/x", "", f->conf->limits_request_bytes));
	assert_null(select_route(f, &invoke_service, "POST", "/execute/x", "", f->conf->limits_request_bytes + 1));
	assert_answer(f, 413, "\"limit\":6291456,\"actual\":6291457");
	assert_non_null(select_route(f, &control_service, "GET", "/functions", "", INT64_MAX)); /* never read */
}

/* Code at its limit, however it is written in JSON, is for function_rules.c to judge. */
static void the_body_of_a_deployment_may_have_all_the_code_in_escapes(void **state)
{
	static const char *const methods[] = {"POST", "PUT"}, *const paths[] = {"/functions", "/functions/x"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		int64_t most = 6 * f->conf->limits_code_bytes + (1 << 20);
		assert_non_null(select_route(f, &control_service, methods[i], paths[i], "", most));
		assert_null(select_route(f, &control_service, methods[i], paths[i], "", most + 1));
		assert_answer(f, 413, "\"limit\":26214400,\"actual\":26214401");
		assert_answer(f, 413, "limits.code_bytes");
	}
	f->conf->limits_code_bytes = 1024;
	assert_null(select_route(f, &control_service, "POST", "/functions", "", 6 * 1024 + (1 << 20) + 1));
	assert_non_null(select_route(f, &invoke_service, "POST", "/execute/x", "", f->conf->limits_request_bytes));
}

static void only_one_spelling_of_an_id_is_taken(void **state)
{
	static const char *const spellings[] = {
		"/execute/01A20883-f00e-7ac7-bafa-a8c846d26ff8",
		"/execute/01a20883-F00E-7ac7-bafa-a8c846d26ff8",
		"/execute/01a20883-f00e-7ac7-bafa-a8c846d26ff%46",
		"/execute/Hello",
	};

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		assert_null(select_route(*state, &invoke_service, "POST", spellings[i], "", 0));
		assert_answer(*state, 400, "has capital letters");
	}
	assert_null(select_route(*state, &control_service, "GET", "/functions/HELLO", "", 0));
	assert_answer(*state, 400, "'HELLO' has capital letters");
	assert_null(select_route(*state, &control_service, "GET", "/Functions", "", 0));
	assert_answer(*state, 404, "not_found");
}

static bool has_body(const struct route *route)
{
	return route->max_body != ROUTE_NO_BODY;
}

/* Each route of the service that is one of these is refused so; status 0: taken. */
static void assert_each(struct fixture *f, const struct service *service, bool (*is_one)(const struct route *route),
			int64_t length, int status, const char *part)
{
	int asked = 0;

	for (const struct route *route = service->routes; route < service->routes + service->route_count; route++) {
		if (!is_one(route))
			continue;
		asked++;
		assert_ptr_equal(select_itself(f, service, route, length), status == 0 ? route : NULL);
		if (status != 0)
			assert_answer(f, status, part);
	}
	assert_true(asked > 0);
}

static void every_body_has_to_say_that_it_is_json(void **state)
{
	static const char *const others[] = {"",
					     "text/plain",
					     "application/x-www-form-urlencoded",
					     "multipart/form-data",
					     "application/jsonx",
					     "application/json, text/plain"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		f->content_type = others[i];
		assert_each(f, &invoke_service, has_body, 2, 415, "unsupported_media_type");
		assert_each(f, &control_service, has_body, 2, 415, "unsupported_media_type");
		assert_each(f, &invoke_service, has_body, 0, 0, ""); /* there is none */
	}
	f->content_type = "";
	assert_each(f, &invoke_service, has_body, 2, 415, "Content-Type is missing");
}

static bool does_something(const struct route *route)
{
	return route->method != METHOD_GET;
}

static bool only_reads(const struct route *route)
{
	return route->method == METHOD_GET;
}

static void pages_of_other_sites_change_and_run_nothing(void **state)
{
	struct fixture *f = *state;

	f->foreign = true;
	assert_each(f, &invoke_service, does_something, 0, 403, "\"code\":\"cross_site\"");
	assert_each(f, &control_service, does_something, 0, 403, "\"code\":\"cross_site\"");
	assert_each(f, &control_service, only_reads, 0, 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(every_route_is_found_by_its_own_pattern),
		TEST(an_unknown_path_is_not_found),
		TEST(what_cannot_be_a_name_or_an_id_is_not_found),
		TEST(a_pool_does_not_serve_the_routes_of_the_other),
		TEST(a_method_that_is_not_there_is_answered_with_those_that_are),
		TEST(head_is_answered_as_get),
		TEST(an_unknown_parameter_is_refused_by_name),
		TEST(a_body_over_the_limit_is_refused_before_it_is_read),
		TEST(the_body_of_a_deployment_may_have_all_the_code_in_escapes),
		TEST(only_one_spelling_of_an_id_is_taken),
		TEST(every_body_has_to_say_that_it_is_json),
		TEST(pages_of_other_sites_change_and_run_nothing),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
