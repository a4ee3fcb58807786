#include "status/status.h"

#include <errno.h>

#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

struct fixture {
	char *dir;
	struct conf conf;
	struct fake_poolmgr poolmgr;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = unit_make_dir();
	f->conf.master_run_dir = f->dir;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fake_poolmgr_kill(&f->poolmgr);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

#define SERVE(f, ...)                                                                                                          \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		fake_poolmgr_start(&(f)->poolmgr, (f)->dir, scripts_, ARRAY_SIZE(scripts_), 0);                                \
	} while (0)

static void answer(int fd, const char *json)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	fake_poolmgr_check(m.stats.whole == 1, "asked for everything");
	struct ipc_msg reply = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = m.stats.seq, .json = STR(json)}};
	fake_poolmgr_send(fd, &reply);
	fake_poolmgr_expect_close(fd);
}

static void answer_well(int fd)
{
	answer(fd, "{\"waiting\":3}");
}

static void answer_with_no_json(int fd)
{
	answer(fd, "waiting");
}

static void answer_with_no_object(int fd)
{
	answer(fd, "[]");
}

static void answer_something_else(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	struct ipc_msg reply = {.type = IPC_DONE, .done.seq = m.stats.seq};
	fake_poolmgr_send(fd, &reply);
	fake_poolmgr_expect_close(fd);
}

static void hang_up(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
}

static void poolmgr_is_asked_for_everything(void **state)
{
	struct fixture *f = *state;
	json_t *stats = NULL;
	struct err err;

	SERVE(f, answer_well);
	assert_ok(status_ask(&f->conf, &stats, &err));
	assert_int_equal(json_integer_value(json_object_get(stats, "waiting")), 3);
	json_decref(stats);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void what_is_no_answer_is_told_as_such(void **state)
{
	struct fixture *f = *state;
	json_t *stats = NULL;
	struct err err;

	SERVE(f, answer_with_no_json, answer_with_no_object, answer_something_else, hang_up);
	for (int i = 0; i < 3; i++)
		assert_fails(status_ask(&f->conf, &stats, &err), "not what was asked for");
	assert_fails(status_ask(&f->conf, &stats, &err), "closed the connection");
	assert_null(stats);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void nobody_there_is_told_with_the_socket(void **state)
{
	struct fixture *f = *state;
	json_t *stats = NULL;
	struct err err;

	assert_fails(status_ask(&f->conf, &stats, &err), "poolmgr.sock");
	assert_int_equal(err.code, ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(poolmgr_is_asked_for_everything),
		TEST(what_is_no_answer_is_told_as_such),
		TEST(nobody_there_is_told_with_the_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
