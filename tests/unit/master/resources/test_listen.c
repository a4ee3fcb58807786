#include "master/resources/listen.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "master/resources/layout.h"
#include "tests/unit/master/place.h"

static mode_t mode_of(const char *dir, const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", dir, name);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void close_all(struct listeners listeners[LISTEN_KINDS])
{
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		while (listeners[kind].count > 0)
			fd_close(&listeners[kind].fds[--listeners[kind].count]);
}

static void sockets_have_their_types_and_modes(void **state)
{
	static const struct {
		const char *name;
		int type;
		mode_t mode;
		enum listen_kind kind;
		int index;
	} wanted[] = {
		{"invoke-0.sock", SOCK_STREAM, 0660, LISTEN_INVOKE, 0},
		{"invoke-2.sock", SOCK_STREAM, 0660, LISTEN_INVOKE, 2},
		{"deploy-0.sock", SOCK_STREAM, 0660, LISTEN_DEPLOY, 0},
		{"query-15.sock", SOCK_STREAM, 0660, LISTEN_QUERY, INHERITED_CALLER_LANES - 1},
		{"health-1.sock", SOCK_STREAM, 0660, LISTEN_HEALTH, 1},
		{"control.sock", SOCK_STREAM, 0660, LISTEN_CONTROL, 0},
		{"follow.sock", SOCK_STREAM, 0660, LISTEN_FOLLOW, 0},
		{"poolmgr.sock", SOCK_SEQPACKET, 0660, LISTEN_POOLMGR, 0},
	};
	AUTO(place_free) struct place p = place_make();
	struct listeners listeners[LISTEN_KINDS];
	struct err err;

	(void)state;
	p.conf->invoke_lanes = 3;
	AUTO(fd_close) int run_dir_fd = layout_run_dir(p.conf, &p.id, &err);
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, NULL, listeners, &err));
	assert_int_equal(listeners[LISTEN_INVOKE].count, 3);
	assert_int_equal(listeners[LISTEN_DEPLOY].count, INHERITED_CALLER_LANES);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		int fd = listeners[wanted[i].kind].fds[wanted[i].index];
		AUTO(mem_free) char *path = mem_printf("%s/%s", p.run_dir, wanted[i].name);
		AUTO(fd_close) int client = fd_connect_unix(path, wanted[i].type, &err);
		assert_ok(client);
		assert_int_equal(mode_of(p.run_dir, wanted[i].name), wanted[i].mode);
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	}
	close_all(listeners);
}

static void when_one_socket_fails_none_stays_open(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(mem_free) char *in_the_way = mem_printf("%s/poolmgr.sock", p.run_dir);
	struct listeners listeners[LISTEN_KINDS] = {{.count = -7}};
	struct err err;

	(void)state;
	AUTO(fd_close) int run_dir_fd = layout_run_dir(p.conf, &p.id, &err);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	int before = unit_open_fds();
	assert_fails(listen_open(run_dir_fd, p.conf, &p.id, NULL, listeners, &err), "poolmgr.sock");
	assert_int_equal(unit_open_fds(), before);
	assert_int_equal(listeners[0].count, -7);
}

static void refusing_sockets_end_waiting_and_new_connections_at_once(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(mem_free) char *path = mem_printf("%s/invoke-1.sock", p.run_dir);
	AUTO(mem_free) char *hidden = mem_printf("%s/hidden", p.run_dir);
	struct listeners listeners[LISTEN_KINDS];
	struct err err;
	char byte;

	(void)state;
	p.conf->invoke_lanes = 2;
	AUTO(fd_close) int run_dir_fd = layout_run_dir(p.conf, &p.id, &err);
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, NULL, listeners, &err));
	assert_int_equal(link(path, hidden), 0);
	AUTO(fd_close) int shared = dup(listeners[LISTEN_INVOKE].fds[1]); /* as a worker has it */
	AUTO(fd_close) int waiting = fd_connect_unix(path, SOCK_STREAM, &err);
	assert_ok(waiting);
	listen_refuse(run_dir_fd, LISTEN_INVOKE, &listeners[LISTEN_INVOKE]);
	assert_int_equal(listeners[LISTEN_INVOKE].count, 0);
	assert_int_equal(read(waiting, &byte, 1), 0);
	assert_fails(fd_connect_unix(path, SOCK_STREAM, &err), "No such file");
	assert_fails(fd_connect_unix(hidden, SOCK_STREAM, &err), "Connection refused");
	listen_refuse(run_dir_fd, LISTEN_INVOKE, &listeners[LISTEN_INVOKE]);
	close_all(listeners);
}

/* ---- At an upgrade ---- */

static int try_to_connect(const struct place *p, const char *name, int type)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", p->run_dir, name);

	return fd_connect_unix(path, type, NULL);
}

static void the_next_berthd_goes_on_with_the_sockets_of_nginx_and_has_a_poolmgr_socket_of_its_own(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(handover_free) struct handover handover = {0};
	struct listeners before[LISTEN_KINDS], after[LISTEN_KINDS];
	struct err err;

	(void)state;
	p.conf->invoke_lanes = 2;
	AUTO(fd_close) int run_dir_fd = layout_run_dir(p.conf, &p.id, &err);
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, NULL, before, &err));
	assert_ok(listen_hand_over(before, &handover, &err));
	AUTO(fd_close) int waiting = try_to_connect(&p, "invoke-1.sock", SOCK_STREAM);
	assert_ok(waiting);
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, &handover, after, &err));
	assert_int_equal(handover.count, 0);
	AUTO(fd_close) int accepted = accept(after[LISTEN_INVOKE].fds[1], NULL, NULL); /* it was there before */
	assert_true(accepted >= 0);

	/* Who connects to poolmgr comes to the old one until the new one takes over. */
	int old_poolmgr = before[LISTEN_POOLMGR].fds[0], new_poolmgr = after[LISTEN_POOLMGR].fds[0];
	AUTO(fd_close) int first = try_to_connect(&p, "poolmgr.sock", SOCK_SEQPACKET);
	AUTO(fd_close) int at_the_old = accept(old_poolmgr, NULL, NULL);
	assert_true(first >= 0 && at_the_old >= 0);
	assert_ok(listen_take_over(run_dir_fd, &err));
	AUTO(fd_close) int second = try_to_connect(&p, "poolmgr.sock", SOCK_SEQPACKET);
	AUTO(fd_close) int at_the_new = accept(new_poolmgr, NULL, NULL);
	assert_true(second >= 0 && at_the_new >= 0);
	assert_int_equal(mode_of(p.run_dir, "poolmgr.sock"), 0660);
	assert_int_equal(accept(old_poolmgr, NULL, NULL), -1);
	close_all(before);
	close_all(after);
}

static void one_that_steps_back_leaves_the_names_as_they_were(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(handover_free) struct handover handover = {0};
	struct listeners before[LISTEN_KINDS], after[LISTEN_KINDS];
	struct err err;

	(void)state;
	AUTO(fd_close) int run_dir_fd = layout_run_dir(p.conf, &p.id, &err);
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, NULL, before, &err));
	assert_ok(listen_hand_over(before, &handover, &err));
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, &handover, after, &err));
	close_all(after);
	listen_step_back(run_dir_fd);
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		listen_refuse(run_dir_fd, (enum listen_kind)kind, &before[kind]);
	assert_int_equal(rmdir(p.run_dir), 0); /* nothing is left */
}

static void a_socket_that_was_not_inherited_is_opened_and_one_that_is_not_wanted_is_left_over(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(handover_free) struct handover handover = {0};
	struct listeners before[LISTEN_KINDS], after[LISTEN_KINDS];
	struct err err;

	(void)state;
	p.conf->invoke_lanes = 2;
	AUTO(fd_close) int run_dir_fd = layout_run_dir(p.conf, &p.id, &err);
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, NULL, before, &err));
	assert_ok(listen_hand_over(before, &handover, &err));
	p.conf->invoke_lanes = 3;
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, &handover, after, &err));
	assert_int_equal(handover.count, 0);
	AUTO(fd_close) int client = try_to_connect(&p, "invoke-2.sock", SOCK_STREAM);
	assert_ok(client);
	close_all(before);

	assert_ok(listen_hand_over(after, &handover, &err));
	p.conf->invoke_lanes = 2;
	assert_ok(listen_open(run_dir_fd, p.conf, &p.id, &handover, before, &err));
	assert_int_equal(handover.count, 1);
	assert_string_equal(handover.items[0].name, "invoke-2.sock");
	close_all(before);
	close_all(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_have_their_types_and_modes),
		cmocka_unit_test(when_one_socket_fails_none_stays_open),
		cmocka_unit_test(refusing_sockets_end_waiting_and_new_connections_at_once),
		cmocka_unit_test(the_next_berthd_goes_on_with_the_sockets_of_nginx_and_has_a_poolmgr_socket_of_its_own),
		cmocka_unit_test(one_that_steps_back_leaves_the_names_as_they_were),
		cmocka_unit_test(a_socket_that_was_not_inherited_is_opened_and_one_that_is_not_wanted_is_left_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
