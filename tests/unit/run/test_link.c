#include "run/link.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

#define SECOND 1000000

struct fixture {
	int fds; /* before there was anything */
	char *dir;
	struct link *link;
	struct fake_poolmgr poolmgr;
	struct slow_timer slow_timer;
	int over; /* times */
	int lost;
	int recalled;
	uint64_t recalled_ids[8];
	bool tell_on_recall;
};

static int go_fd; /* what a script waits for */

static void go(void)
{
	assert_int_equal(eventfd_write(go_fd, 1), 0);
}

static void await_go(void)
{
	eventfd_t value;

	fake_poolmgr_check(eventfd_read(go_fd, &value) == 0, "go");
}

static struct ipc_msg release_of(uint64_t lease_id)
{
	return (struct ipc_msg){.type = IPC_RELEASE, .release.lease_id = lease_id};
}

static void on_recall(uint64_t lease_id, void *arg)
{
	struct fixture *f = arg;
	struct ipc_msg release = release_of(lease_id);

	assert_true(f->recalled < (int)ARRAY_SIZE(f->recalled_ids));
	f->recalled_ids[f->recalled++] = lease_id;
	if (f->tell_on_recall)
		link_send(f->link, &release, NULL);
}

static void on_lost(void *arg)
{
	struct fixture *f = arg;

	f->lost++;
	assert_int_equal(link_fd(f->link), -1);
}

static int64_t on_over(void *arg)
{
	struct fixture *f = arg;

	f->over++;
	return INT64_MAX;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct link_hooks hooks = {on_recall, on_lost, f};

	f->fds = unit_open_fds();
	f->dir = unit_make_dir();
	f->slow_timer = (struct slow_timer){.due_us = INT64_MAX, .over = on_over, .arg = f};
	f->link = link_new(f->dir, &hooks, &f->slow_timer);
	go_fd = eventfd(0, EFD_CLOEXEC);
	*state = f;
	return 0;
}

/* No test leaves a descriptor behind. */
static int tear_down(void **state)
{
	struct fixture *f = *state;

	link_free(&f->link);
	fake_poolmgr_kill(&f->poolmgr);
	fd_close(&go_fd);
	unit_remove_dir(&f->dir);
	int leaked = unit_open_fds() - f->fds;
	free(f);
	return leaked == 0 ? 0 : -1;
}

#define SERVE(f, restart, ...)                                                                                                 \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		fake_poolmgr_start(&(f)->poolmgr, (f)->dir, scripts_, ARRAY_SIZE(scripts_), restart);                          \
	} while (0)

static void assert_scripts_ended_well(struct fixture *f)
{
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static int ask(struct fixture *f, int64_t slow_timer_us, struct err *err)
{
	struct ipc_msg question = {.type = IPC_STATS}, answer;

	if (link_ask(f->link, &question, &question.stats.seq, clock_mono_us() + slow_timer_us, &answer, err) < 0)
		return -1;
	assert_int_equal(answer.type, IPC_STATS_REPLY);
	assert_int_equal(answer.stats_reply.seq, question.stats.seq);
	assert_int_equal(answer.stats_reply.json.len, 2);
	return 0;
}

static void assert_readable(const struct fixture *f)
{
	struct pollfd p = {.fd = link_fd(f->link), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
}

/* Until the other end has closed, and everything it said before is here. */
static void await_hangup(const struct fixture *f)
{
	struct pollfd p = {.fd = link_fd(f->link), .events = 0};

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(p.revents & POLLHUP);
}

static void reply(int fd, uint64_t seq)
{
	struct ipc_msg m = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = seq, .json = STR("{}")}};

	fake_poolmgr_send(fd, &m);
}

static void answer_one(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	reply(fd, m.stats.seq);
}

static void answer_and_wait_for_the_end(int fd)
{
	answer_one(fd);
	fake_poolmgr_expect_close(fd);
}

static void answer_and_wait(int fd)
{
	answer_one(fd);
	await_go();
}

static void die_with_the_question(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
}

static void nothing_is_connected_before_it_is_needed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(link_fd(f->link), -1);
	assert_int_equal(link_generation(f->link), 0);
	assert_true(link_maintain_due_us(f->link) == INT64_MAX);
	link_hear(f->link);
	link_close(f->link);
	assert_int_equal(f->lost, 0);
}

static void recall_before_the_answer(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	fake_poolmgr_recall(fd, 5);
	fake_poolmgr_recall(fd, 6);
	reply(fd, m.stats.seq);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.lease_id == 5, "first");
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.lease_id == 6, "second");
	fake_poolmgr_expect_close(fd);
}

static void a_recall_is_dealt_with_while_an_answer_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	f->tell_on_recall = true;
	SERVE(f, 0, recall_before_the_answer);
	assert_ok(ask(f, 5 * SECOND, &err));
	assert_int_equal(f->recalled, 2);
	assert_int_equal(f->recalled_ids[0], 5);
	assert_int_equal(f->recalled_ids[1], 6);
	assert_int_equal(f->lost, 0);
	link_close(f->link);
	assert_scripts_ended_well(f);
}

static void recall_when_told(int fd)
{
	answer_one(fd);
	await_go();
	fake_poolmgr_recall(fd, 7);
	fake_poolmgr_recall(fd, 8);
}

static void what_is_said_unasked_is_heard_to_its_end_without_waiting(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, recall_when_told);
	assert_ok(ask(f, 5 * SECOND, &err));
	int64_t start_us = clock_mono_us();
	for (int i = 0; i < 100; i++)
		link_hear(f->link);
	assert_true(clock_mono_us() - start_us < SECOND);
	assert_int_equal(f->recalled, 0);
	go();
	await_hangup(f);
	link_hear(f->link);
	assert_int_equal(f->recalled, 2);
	assert_int_equal(f->recalled_ids[0], 7);
	assert_int_equal(f->recalled_ids[1], 8);
	assert_int_equal(f->lost, 1);
}

static void the_end_of_the_connection_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, answer_one);
	assert_ok(ask(f, 5 * SECOND, &err));
	assert_int_equal(link_generation(f->link), 1);
	await_hangup(f);
	assert_int_equal(f->lost, 0);
	link_hear(f->link);
	assert_int_equal(f->lost, 1);
	assert_int_equal(link_fd(f->link), -1);
	link_hear(f->link);
	link_close(f->link);
	assert_int_equal(f->lost, 1);
	assert_true(link_maintain_due_us(f->link) == INT64_MAX); /* nothing is held */
}

static void agent(int control, int log)
{
	(void)log;
	fake_agent_wait_for_close(control);
}

static void grant_unasked(int fd)
{
	const struct ipc_msg nothing = {.type = IPC_LEASE};

	answer_one(fd);
	await_go();
	fake_poolmgr_recall(fd, 9);
	fake_poolmgr_grant(fd, &nothing, "", agent);
	fake_poolmgr_recall(fd, 10);
	fake_poolmgr_expect_close(fd);
}

static void an_answer_to_no_question_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, grant_unasked);
	assert_ok(ask(f, 5 * SECOND, &err));
	int fds = unit_open_fds();
	go();
	while (link_fd(f->link) >= 0) {
		assert_readable(f);
		link_hear(f->link);
	}
	assert_int_equal(f->lost, 1);
	assert_int_equal(f->recalled, 1);
	assert_int_equal(unit_open_fds(), fds - 1);
}

static void answer_late(int fd)
{
	struct ipc_msg m;

	answer_one(fd);
	fake_poolmgr_expect(fd, IPC_STATS, &m);
	reply(fd, m.stats.seq - 1);
	fake_poolmgr_expect_close(fd);
}

static void grant_instead(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	struct ipc_msg lease = {.type = IPC_LEASE, .lease.seq = m.stats.seq};
	fake_poolmgr_grant(fd, &lease, "", agent);
	fake_poolmgr_expect_close(fd);
}

static void another_answer_than_the_one_asked_for_costs_the_connection_only(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, answer_late, grant_instead, answer_and_wait_for_the_end);
	assert_ok(ask(f, 5 * SECOND, &err));
	int fds = unit_open_fds();
	assert_ok(ask(f, 5 * SECOND, &err));
	assert_int_equal(f->lost, 2);
	assert_int_equal(link_generation(f->link), 3);
	assert_int_equal(unit_open_fds(), fds);
	link_close(f->link);
	assert_scripts_ended_well(f);
}

static void a_question_is_asked_again_until_it_is_answered(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 1, die_with_the_question, die_with_the_question, answer_and_wait_for_the_end);
	assert_ok(ask(f, 10 * SECOND, &err));
	assert_int_equal(f->lost, 2);
	assert_int_equal(link_generation(f->link), 3);
}

static void nobody_there_is_refused_by_the_deadline(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us();
	struct err err = {0};

	assert_fails(ask(f, 200000, &err), "");
	assert_int_equal(err.code, ECONNREFUSED);
	assert_in_range(clock_mono_us() - start_us, 50000, 200000 + SECOND);
	assert_int_equal(f->lost, 0);
}

static void say_nothing(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	fake_poolmgr_expect_close(fd);
}

static void one_who_does_not_answer_is_given_up_a_second_after_the_deadline(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us();
	struct err err = {0};

	SERVE(f, 0, say_nothing);
	assert_fails(ask(f, 100000, &err), "STATS: not answered");
	assert_int_equal(err.code, ETIMEDOUT);
	assert_in_range(clock_mono_us() - start_us, SECOND, 2 * SECOND);
	assert_int_equal(f->lost, 1); /* a late answer would be taken for the next one's */
	assert_scripts_ended_well(f);
}

static void keep_recalling(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	for (int i = 0; i < 6; i++) {
		fake_poolmgr_recall(fd, 1);
		usleep(250000);
	}
}

static void what_is_said_meanwhile_does_not_move_the_deadline(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us();
	struct err err = {0};

	SERVE(f, 0, keep_recalling);
	assert_fails(ask(f, 100000, &err), "not answered");
	assert_in_range(clock_mono_us() - start_us, SECOND, 1400000);
}

static void take_long_to_answer(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	await_go();
	reply(fd, m.stats.seq);
}

static int64_t on_over_go(void *arg)
{
	go();
	return on_over(arg);
}

static void the_slow_timer_fires_while_an_answer_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	f->slow_timer.due_us = clock_mono_us() + 20000;
	f->slow_timer.over = on_over_go;
	SERVE(f, 0, take_long_to_answer);
	assert_ok(ask(f, 5 * SECOND, &err));
	assert_int_equal(f->over, 1);
}

static void the_slow_timer_fires_at_once_when_nobody_is_there(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	f->slow_timer.due_us = clock_mono_us() + 60 * (int64_t)SECOND;
	assert_fails(ask(f, 50000, &err), "");
	assert_int_equal(f->over, 1);
}

static void no_slow_timer_is_fine(void **state)
{
	struct fixture *f = *state;
	struct link_hooks hooks = {on_recall, on_lost, f};
	struct err err = {0};

	link_free(&f->link);
	f->link = link_new(f->dir, &hooks, NULL);
	assert_fails(ask(f, 50000, &err), "");
	SERVE(f, 0, answer_and_wait_for_the_end);
	assert_ok(ask(f, 5 * SECOND, &err));
}

static void expect_nothing_held(int fd)
{
	fake_poolmgr_check(fake_poolmgr_held[0] == '\0', "nothing is held");
	answer_one(fd);
}

static void expect_held(int fd)
{
	fake_poolmgr_check(strcmp(fake_poolmgr_held, "sandbox-1") == 0, "what is held");
	fake_poolmgr_expect_close(fd);
}

static void each_connection_names_what_is_held_then(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, expect_nothing_held, expect_held, expect_nothing_held);
	assert_ok(ask(f, 5 * SECOND, &err));
	link_set_held(f->link, "sandbox-1");
	await_hangup(f);
	link_maintain(f->link);
	assert_int_equal(f->lost, 1);
	assert_true(link_fd(f->link) >= 0);
	assert_int_equal(link_generation(f->link), 2);
	link_set_held(f->link, "");
	link_close(f->link);
	assert_int_equal(f->lost, 2);
	assert_ok(ask(f, 5 * SECOND, &err));
	assert_scripts_ended_well(f);
}

static void keeping_tries_again_in_a_while_and_never_waits(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, answer_and_wait);
	assert_ok(ask(f, 5 * SECOND, &err));
	link_set_held(f->link, "sandbox-1");
	link_maintain(f->link); /* nothing to do yet */
	assert_int_equal(link_generation(f->link), 1);
	assert_true(link_maintain_due_us(f->link) == INT64_MAX);
	go();
	assert_scripts_ended_well(f);
	for (int i = 0; i < 20; i++) {
		int64_t start_us = clock_mono_us();
		link_maintain(f->link);
		assert_true(clock_mono_us() - start_us < 500000);
		assert_int_equal(link_fd(f->link), -1);
		assert_in_range(link_maintain_due_us(f->link) - start_us, 1000, SECOND);
	}
	assert_int_equal(f->lost, 1);
	SERVE(f, 0, expect_held);
	link_maintain(f->link);
	assert_true(link_fd(f->link) >= 0);
	assert_true(link_maintain_due_us(f->link) == INT64_MAX);
	link_close(f->link);
	assert_scripts_ended_well(f);
}

static void who_has_given_the_sandbox_back_does_not_try_again(void **state)
{
	struct fixture *f = *state;

	link_set_held(f->link, "sandbox-1");
	link_maintain(f->link);
	assert_true(link_maintain_due_us(f->link) != INT64_MAX);
	link_set_held(f->link, "");
	assert_true(link_maintain_due_us(f->link) == INT64_MAX);
}

static void who_holds_a_sandbox_connects_anew_whoever_found_the_connection_broken(void **state)
{
	struct fixture *f = *state;
	struct ipc_msg release = release_of(1);
	struct err err = {0};

	SERVE(f, 0, answer_one, expect_held);
	assert_ok(ask(f, 5 * SECOND, &err));
	link_set_held(f->link, "sandbox-1");
	await_hangup(f);
	assert_fails(link_send(f->link, &release, &err), "");
	assert_int_equal(f->lost, 1);
	/* There is no descriptor any more that could say so. */
	assert_in_range(link_maintain_due_us(f->link), 1, clock_mono_us() + SECOND);
	link_maintain(f->link);
	assert_true(link_fd(f->link) >= 0);
	link_close(f->link);
	assert_scripts_ended_well(f);
}

#define MANY 5000 /* more than a socket holds */

static void read_late(int fd)
{
	struct ipc_msg m;

	answer_one(fd);
	usleep(200000);
	for (int i = 0; i < MANY; i++) {
		fake_poolmgr_expect(fd, IPC_RELEASE, &m);
		fake_poolmgr_check(m.release.lease_id == (uint64_t)i, "in order");
	}
	fake_poolmgr_expect_close(fd);
}

static void a_full_socket_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, read_late);
	assert_ok(ask(f, 5 * SECOND, &err));
	for (int i = 0; i < MANY; i++) {
		struct ipc_msg release = release_of((uint64_t)i);
		assert_ok(link_send(f->link, &release, &err));
	}
	link_close(f->link);
	assert_scripts_ended_well(f);
}

static void a_socket_that_stays_full_is_given_up_after_a_second(void **state)
{
	struct fixture *f = *state;
	struct ipc_msg release = release_of(1);
	int64_t start_us = clock_mono_us();
	struct err err = {0};
	int said = 0;

	SERVE(f, 0, answer_and_wait);
	assert_ok(ask(f, 5 * SECOND, &err));
	while (said < MANY && link_send(f->link, &release, &err) == 0)
		said++;
	assert_in_range(said, 1, MANY - 1);
	assert_in_range(clock_mono_us() - start_us, SECOND, 3 * SECOND);
	assert_int_equal(link_fd(f->link), -1);
	assert_int_equal(f->lost, 1);
	go();
}

static void what_is_too_long_to_be_said_is_not_tried_again(void **state)
{
	struct fixture *f = *state;
	char *text = calloc(1, IPC_MAX_SIZE + 1);
	struct ipc_msg answer, question = {.type = IPC_LEASE, .lease.function = {text, IPC_MAX_SIZE}};
	int64_t start_us = clock_mono_us();
	struct err err = {0};

	SERVE(f, 0, answer_and_wait_for_the_end, answer_and_wait_for_the_end);
	assert_ok(ask(f, 5 * SECOND, &err));
	int rc = link_ask(f->link, &question, &question.lease.seq, start_us + 3 * SECOND, &answer, &err);
	free(text);
	assert_int_equal(rc, -1);
	assert_non_null(strstr(err.msg, "LEASE message of"));
	assert_true(clock_mono_us() - start_us < SECOND);
}

/* ---- The asker leaves ---- */

/* The connection of a client that has left. */
static int gone_asker(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	close(ends[1]);
	return ends[0];
}

static int ask_for_sandbox(struct fixture *f, struct ipc_msg *answer, struct err *err)
{
	struct ipc_msg question = {.type = IPC_LEASE, .lease.function = STR("hello")};

	return link_ask(f->link, &question, &question.lease.seq, clock_mono_us() + 20 * SECOND, answer, err);
}

static void take_the_withdrawal(int fd)
{
	struct ipc_msg asked, withdrawn;

	fake_poolmgr_expect(fd, IPC_LEASE, &asked);
	uint64_t seq = asked.lease.seq;
	fake_poolmgr_expect(fd, IPC_WITHDRAW, &withdrawn);
	fake_poolmgr_check(withdrawn.withdraw.seq == seq, "seq");
	struct ipc_msg m = {.type = IPC_WITHDRAWN, .withdrawn.seq = seq};
	fake_poolmgr_send(fd, &m);
	answer_one(fd);
	fake_poolmgr_expect_close(fd);
}

static void a_question_whose_asker_leaves_is_withdrawn_and_the_connection_stays(void **state)
{
	struct fixture *f = *state;
	AUTO(fd_close) int asker = gone_asker();
	struct ipc_msg answer;
	struct err err = {0};

	SERVE(f, 0, take_the_withdrawal);
	link_set_asker(f->link, asker);
	assert_ok(ask_for_sandbox(f, &answer, &err));
	assert_int_equal(answer.type, IPC_WITHDRAWN);
	assert_true(link_asker_has_left(f->link));
	link_set_asker(f->link, -1);
	assert_false(link_asker_has_left(f->link));
	assert_ok(ask(f, 5 * SECOND, &err));
	assert_int_equal(f->lost, 0);
	link_free(&f->link);
	assert_scripts_ended_well(f);
}

static void no_other_question_is_withdrawn(void **state)
{
	struct fixture *f = *state;
	AUTO(fd_close) int asker = gone_asker();
	struct err err = {0};

	SERVE(f, 0, answer_one);
	link_set_asker(f->link, asker);
	assert_ok(ask(f, 5 * SECOND, &err));
	assert_false(link_asker_has_left(f->link));
}

static void nobody_waits_for_a_poolmgr_on_behalf_of_an_asker_who_has_left(void **state)
{
	struct fixture *f = *state;
	AUTO(fd_close) int asker = gone_asker();
	int64_t start_us = clock_mono_us();
	struct ipc_msg answer;
	struct err err = {0};

	link_set_asker(f->link, asker); /* there is no poolmgr */
	assert_int_equal(ask_for_sandbox(f, &answer, &err), -1);
	assert_true(link_asker_has_left(f->link));
	assert_true(clock_mono_us() - start_us < 10 * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_question_whose_asker_leaves_is_withdrawn_and_the_connection_stays),
		TEST(no_other_question_is_withdrawn),
		TEST(nobody_waits_for_a_poolmgr_on_behalf_of_an_asker_who_has_left),
		TEST(nothing_is_connected_before_it_is_needed),
		TEST(a_recall_is_dealt_with_while_an_answer_is_waited_for),
		TEST(what_is_said_unasked_is_heard_to_its_end_without_waiting),
		TEST(the_end_of_the_connection_is_told_once),
		TEST(an_answer_to_no_question_ends_the_connection),
		TEST(another_answer_than_the_one_asked_for_costs_the_connection_only),
		TEST(a_question_is_asked_again_until_it_is_answered),
		TEST(nobody_there_is_refused_by_the_deadline),
		TEST(one_who_does_not_answer_is_given_up_a_second_after_the_deadline),
		TEST(what_is_said_meanwhile_does_not_move_the_deadline),
		TEST(the_slow_timer_fires_while_an_answer_is_waited_for),
		TEST(the_slow_timer_fires_at_once_when_nobody_is_there),
		TEST(no_slow_timer_is_fine),
		TEST(each_connection_names_what_is_held_then),
		TEST(keeping_tries_again_in_a_while_and_never_waits),
		TEST(who_has_given_the_sandbox_back_does_not_try_again),
		TEST(who_holds_a_sandbox_connects_anew_whoever_found_the_connection_broken),
		TEST(a_full_socket_is_waited_for),
		TEST(a_socket_that_stays_full_is_given_up_after_a_second),
		TEST(what_is_too_long_to_be_said_is_not_tried_again),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
