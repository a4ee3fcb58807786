#include "tests/unit/control/control_rig.h"

#include <sys/stat.h>

#include "control/control.h"
#include "db/db.h"
#include "http/route.h"
#include "run/invocation.h"
#include "tests/support/described.h"

static void add_language(struct fixture *f)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/python", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/python/runtime.json", f->dir);
	unit_write_file(path, "{\"language\":\"python\",\"command\":[\"x\"],\"source_file\":\"main.py\","
			      "\"default_handler\":\"main.handler\",\"min_memory_mb\":64,\"default_version\":\"2\","
			      "\"versions\":[{\"version\":\"1\",\"image\":\"old\",\"end_of_life\":\"2020-12-31\"},"
			      "{\"version\":\"2\",\"image\":\"i\",\"end_of_life\":\"2100-12-31\"}]}");
}

int control_rig_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct worker *w = &f->worker;
	struct err err = {0};

	pg_scratch_reset(pg);
	f->dir = unit_make_dir();
	f->conf = pg_scratch_conf(pg);
	free(f->conf->sandbox_runtimes_dir);
	f->conf->sandbox_runtimes_dir = strdup(f->dir);
	add_language(f);
	w->service = &control_service;
	w->conf = f->conf;
	int board_fd;
	assert_ok(scoreboard_create(2, &w->board, &board_fd, &err));
	close(board_fd);
	scoreboard_set_used(w->board, 2);
	w->poolmgr = lease_client_new(f->dir, NULL, false);
	w->invocation = invocation_new(f->conf, w->poolmgr, NULL);
	w->db = db_new(f->conf, "test");
	assert_ok(language_load_all(f->conf, &w->languages, &err));
	*state = f;
	return 0;
}

int control_rig_tear_down(void **state)
{
	struct fixture *f = *state;

	json_decref(f->answer);
	response_free(&f->response);
	db_free(&f->worker.db);
	language_free(&f->worker.languages);
	invocation_free(&f->worker.invocation);
	lease_client_free(&f->worker.poolmgr);
	scoreboard_close(&f->worker.board);
	fake_poolmgr_kill(&f->poolmgr);
	conf_free(&f->conf);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

const char *if_match;

static const char *variable(void *context, const char *name)
{
	(void)context;
	return strcmp(name, "HTTP_IF_MATCH") == 0 ? if_match : NULL;
}

int call(struct fixture *f, const char *method, const char *uri, const char *body)
{
	const char *query = strchr(uri, '?');
	struct request_source source = {.method = method, .uri = uri, .query = query ? query + 1 : "", .variable = variable};
	struct err err = {0};

	assert_ok(request_parse(&source, &f->request, &err));
	f->request.body = body;
	f->request.body_len = strlen(body);
	response_begin(&f->response, &f->request);
	const struct service *service = &control_service;
	const struct route *route = route_select(service->routes, service->route_count, f->conf, &f->request, &f->response);
	if (route != NULL)
		route->handler(&f->worker, &f->request, &f->response);
	json_decref(f->answer);
	f->answer = json_loads(strstr(f->response.out.data, "\r\n\r\n") + 4, 0, NULL);
	assert_answer_described(method, uri, f->response.status, f->answer);
	return f->response.status;
}

const char *answer_text(const struct fixture *f, const char *name)
{
	const char *value = json_string_value(json_object_get(f->answer, name));

	return value != NULL ? value : "";
}

long answer_number(const struct fixture *f, const char *name)
{
	return (long)json_integer_value(json_object_get(f->answer, name));
}

void assert_status(const struct fixture *f, int actual, int wanted)
{
	if (actual != wanted)
		fail_msg("status %d: %s", actual, buf_str(&f->response.out));
}

void assert_has(const struct fixture *f, const char *part)
{
	if (strstr(f->response.out.data, part) == NULL)
		fail_msg("no '%s' in %s", part, f->response.out.data);
}

/* Agents. */

void load_well(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

/* Poolmgrs. */

void check_as(int fd, enum ipc_type type, void (*agent)(int, int))
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, type, &m);
	fake_poolmgr_grant(fd, &m, "{\"handler\":\"main.handler\"}", agent);
}

void expect_invalidate(int fd, uint32_t version)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_INVALIDATE, &m);
	fake_poolmgr_check(m.invalidate.version == version, "version");
	struct ipc_msg done = {.type = IPC_DONE, .done = {.seq = m.invalidate.seq}};
	fake_poolmgr_send(fd, &done);
}

void expect_release(int fd, enum counter reason)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason == reason, "reason");
}

void deploy_one(int fd, uint32_t version)
{
	check_as(fd, IPC_CHECK, load_well);
	expect_invalidate(fd, version);
	expect_release(fd, 0);
}

void deploy_settings(int fd, uint32_t version)
{
	check_as(fd, IPC_CHECK_STORED, load_well);
	expect_invalidate(fd, version);
	expect_release(fd, 0);
}

void deploy_the_first(int fd)
{
	deploy_one(fd, 1);
	fake_poolmgr_expect_close(fd);
}
