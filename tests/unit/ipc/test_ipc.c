#include "ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "ipc/fdpass.h"
#include "tests/unit/unit.h"

static const struct message {
	const char *name;
	enum ipc_side sender;
	int fds;
} messages[IPC_TYPE_COUNT] = {
#define IPC_MESSAGE(NAME, name, sender, fds) {#NAME, IPC_##sender, fds},
#define IPC_FIELD(name, type, field)
#define IPC_ENUM(name, exists, field)
#define IPC_END(name)
#include "ipc/ipc_msg.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_ENUM
#undef IPC_END
};

/* Values for the fields of each type: no two bytes alike, so that a mixed-up order shows. */
#define VALUE_U8   0x11
#define VALUE_U32  0x21222324
#define VALUE_U64  0x3132333435363738
#define VALUE_STR  ((struct str){"some text", 9})
#define VALUE_UUID ((struct uuid){{0x41, 0x42, 0x43}})

/* For each enumeration, one value that exists. */
#define VALUE_problem_exists    0
#define VALUE_counter_is_reason 0
#define VALUE_ipc_start_exists  IPC_START_COLD
#define VALUE_throttled_exists  THROTTLED_QUEUE_FULL

/* clang-format off */
static const struct ipc_msg samples[IPC_TYPE_COUNT] = {
#define IPC_MESSAGE(NAME, name, sender, descriptors) [IPC_##NAME] = {.type = IPC_##NAME, .fds = IPC_NO_FDS, .name = {
#define IPC_FIELD(name, type, field) .field = VALUE_##type,
#define IPC_ENUM(name, exists, field) .field = VALUE_##exists,
#define IPC_END(name) }},
#include "ipc/ipc_msg.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_ENUM
#undef IPC_END
};
/* clang-format on */

static const enum ipc_side sides[] = {IPC_WORKER, IPC_POOLMGR, IPC_WARDEN};

static void encode(int type, struct buf *out)
{
	struct err err;

	assert_ok(ipc_encode(&samples[type], out, &err));
	assert_int_equal((unsigned char)out->data[0], type);
}

static void every_message_comes_back_as_it_was(void **state)
{
	AUTO(buf_free) struct buf b = {0}, again = {0};
	struct ipc_msg msg;
	struct err err;

	(void)state;
	for (int type = 0; type < IPC_TYPE_COUNT; type++) {
		encode(type, &b);
		assert_ok(ipc_decode(b.data, b.len, messages[type].sender, &msg, &err));
		assert_int_equal(msg.type, type);
		for (int i = 0; i < IPC_MAX_FDS; i++)
			assert_int_equal(msg.fds[i], -1);
		assert_ok(ipc_encode(&msg, &again, &err));
		assert_int_equal(again.len, b.len);
		assert_memory_equal(again.data, b.data, b.len);
		assert_string_equal(ipc_name(msg.type), messages[type].name);
	}
	assert_string_equal(ipc_name(IPC_TYPE_COUNT), "?");
}

static void fields_arrive_under_their_names(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct ipc_msg out = {.type = IPC_GRANT,
			      .grant = {.seq = 7, .timeout_ms = 9, .runtime = STR("docker"), .start_kind = IPC_START_COLD}};
	struct ipc_msg in;
	struct err err;

	(void)state;
	assert_ok(ipc_encode(&out, &b, &err));
	assert_ok(ipc_decode(b.data, b.len, IPC_POOLMGR, &in, &err));
	assert_int_equal(in.grant.seq, 7);
	assert_int_equal(in.grant.timeout_ms, 9);
	assert_int_equal(in.grant.start_kind, IPC_START_COLD);
	assert_int_equal(in.grant.runtime.len, 6);
	assert_memory_equal(in.grant.runtime.data, "docker", 6);
	assert_int_equal(in.grant.init.len, 0);
}

static void the_wrong_side_is_refused(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct ipc_msg msg;
	struct err err;

	(void)state;
	for (int type = 0; type < IPC_TYPE_COUNT; type++) {
		encode(type, &b);
		for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
			if (sides[i] == messages[type].sender)
				continue;
			assert_fails(ipc_decode(b.data, b.len, sides[i], &msg, &err), "from the wrong side");
			assert_int_equal(err.code, EPROTO);
		}
	}
}

static void every_message_is_refused_at_every_shorter_length_and_with_a_byte_more(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct ipc_msg msg;
	struct err err;

	(void)state;
	for (int type = 0; type < IPC_TYPE_COUNT; type++) {
		encode(type, &b);
		for (size_t len = 0; len < b.len; len++)
			assert_fails(ipc_decode(b.data, len, messages[type].sender, &msg, &err), "message of");
		buf_add_u8(&b, 0);
		assert_fails(ipc_decode(b.data, b.len, messages[type].sender, &msg, &err), "does not decode");
	}
}

static bool decodes(const struct ipc_msg *msg, enum ipc_side sender)
{
	AUTO(buf_free) struct buf b = {0};
	struct ipc_msg in;
	struct err err;

	assert_ok(ipc_encode(msg, &b, &err));
	if (ipc_decode(b.data, b.len, sender, &in, &err) == 0)
		return true;
	assert_non_null(strstr(err.msg, "does not decode"));
	return false;
}

static void an_enumeration_out_of_its_range_is_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		struct ipc_msg deny = {.type = IPC_DENY, .deny.code = (uint8_t)i};
		struct ipc_msg grant = {.type = IPC_GRANT, .grant.start_kind = (uint8_t)i};
		struct ipc_msg throttled = {.type = IPC_DENY, .deny.reason = (uint8_t)i};
		assert_int_equal(decodes(&deny, IPC_POOLMGR), i < PROBLEM_COUNT);
		assert_int_equal(decodes(&throttled, IPC_POOLMGR), i < THROTTLED_COUNT);
		assert_int_equal(decodes(&grant, IPC_POOLMGR), i >= IPC_START_WARM && i <= IPC_START_COLD);
	}
}

/* And nothing else that is counted. */
static void a_sandbox_goes_back_for_a_reason_or_for_none(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		struct ipc_msg release = {.type = IPC_RELEASE, .release.reason = (uint8_t)i};
		bool reason = i < COUNTER_COUNT && strcmp(counter_rows[i].family, "kills") == 0;
		assert_int_equal(decodes(&release, IPC_WORKER), i == 0 || reason);
	}
}

static void a_type_that_does_not_exist_is_refused(void **state)
{
	struct ipc_msg msg;
	struct err err;

	(void)state;
	for (int type = IPC_TYPE_COUNT; type < 256; type++) {
		unsigned char data[1] = {(unsigned char)type};
		assert_fails(ipc_decode(data, 1, IPC_WORKER, &msg, &err), "unknown type");
	}
}

static void a_message_over_the_limit_is_not_encoded(void **state)
{
	static char text[IPC_MAX_SIZE];
	AUTO(buf_free) struct buf b = {0};
	struct ipc_msg msg = {.type = IPC_STATS_REPLY, .stats_reply = {.json = {text, sizeof(text) - 13}}};
	struct err err;

	(void)state;
	assert_ok(ipc_encode(&msg, &b, &err));
	assert_int_equal(b.len, IPC_MAX_SIZE);
	msg.stats_reply.json.len++;
	assert_fails(ipc_encode(&msg, &b, &err), "STATS_REPLY message of");
}

struct wire {
	int ends[2];
	struct buf scratch;
};

static void wire_close(struct wire *wire)
{
	fd_close(&wire->ends[0]);
	fd_close(&wire->ends[1]);
	buf_free(&wire->scratch);
}

static struct wire wire_open(void)
{
	struct wire wire = {0};

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wire.ends), 0);
	return wire;
}

static int receive(struct wire *wire, enum ipc_side sender, struct ipc_msg *msg, struct err *err)
{
	return ipc_recv(wire->ends[1], sender, 0, &wire->scratch, msg, err);
}

static void every_message_crosses_a_socket_with_its_descriptors(void **state)
{
	AUTO(wire_close) struct wire wire = wire_open();
	struct ipc_msg msg;
	struct err err;

	(void)state;
	for (int type = 0; type < IPC_TYPE_COUNT; type++) {
		struct ipc_msg out = samples[type];
		for (int i = 0; i < messages[type].fds; i++)
			out.fds[i] = wire.ends[0];
		int before = unit_open_fds();
		assert_ok(ipc_send(wire.ends[0], &out, &err));
		assert_int_equal(receive(&wire, messages[type].sender, &msg, &err), 1);
		assert_int_equal(msg.type, type);
		for (int i = 0; i < IPC_MAX_FDS; i++)
			assert_int_equal(msg.fds[i] >= 0, i < messages[type].fds);
		assert_int_equal(unit_open_fds(), before + messages[type].fds);
		ipc_close_fds(&msg);
		assert_int_equal(unit_open_fds(), before);
	}
}

static void a_wrong_number_of_descriptors_is_refused_and_not_leaked(void **state)
{
	AUTO(wire_close) struct wire wire = wire_open();
	AUTO(buf_free) struct buf b = {0};
	struct ipc_msg msg;
	struct err err;

	(void)state;
	for (int type = 0; type < IPC_TYPE_COUNT; type++) {
		for (int count = 0; count <= IPC_MAX_FDS; count++) {
			int before = unit_open_fds(), fds[IPC_MAX_FDS];
			for (int i = 0; i < count; i++)
				fds[i] = wire.ends[0];
			if (count == messages[type].fds)
				continue;
			encode(type, &b);
			assert_ok(fdpass_send(wire.ends[0], b.data, b.len, fds, count, &err));
			assert_fails(receive(&wire, messages[type].sender, &msg, &err), "descriptors");
			assert_int_equal(err.code, EPROTO);
			assert_int_equal(unit_open_fds(), before);
		}
	}
}

static void a_message_with_more_descriptors_than_any_has_is_refused_and_none_leaked(void **state)
{
	AUTO(wire_close) struct wire wire = wire_open();
	int before = unit_open_fds(), fds[IPC_MAX_FDS + 1];
	AUTO(buf_free) struct buf b = {0};
	struct ipc_msg msg;
	struct err err;

	(void)state;
	for (int i = 0; i <= IPC_MAX_FDS; i++)
		fds[i] = wire.ends[0];
	for (int type = 0; type < IPC_TYPE_COUNT; type++) {
		encode(type, &b);
		assert_ok(fdpass_send(wire.ends[0], b.data, b.len, fds, ARRAY_SIZE(fds), &err));
		assert_fails(receive(&wire, messages[type].sender, &msg, &err), "descriptors");
		assert_int_equal(unit_open_fds(), before);
	}
}

static void what_does_not_decode_is_refused_and_its_descriptors_closed(void **state)
{
	AUTO(wire_close) struct wire wire = wire_open();
	int before = unit_open_fds();
	struct ipc_msg msg;
	struct err err;

	(void)state;
	assert_ok(fdpass_send(wire.ends[0], "\377garbage", 8, (int[]){wire.ends[0], wire.ends[0]}, 2, &err));
	assert_fails(receive(&wire, IPC_WORKER, &msg, &err), "unknown type");
	assert_int_equal(unit_open_fds(), before);
}

static void waiting_ends_at_the_deadline_or_the_end_of_file(void **state)
{
	AUTO(wire_close) struct wire wire = wire_open();
	int64_t start_us = clock_mono_us();
	struct ipc_msg msg;
	struct err err;

	(void)state;
	assert_fails(receive(&wire, IPC_WORKER, &msg, &err), "receive");
	assert_int_equal(err.code, EAGAIN);
	assert_fails(ipc_recv(wire.ends[1], IPC_WORKER, start_us + 20000, &wire.scratch, &msg, &err), "no message in time");
	assert_int_equal(err.code, EAGAIN);
	assert_true(clock_mono_us() - start_us >= 20000);
	fd_close(&wire.ends[0]);
	assert_int_equal(ipc_recv(wire.ends[1], IPC_WORKER, clock_mono_us() + 1000000, &wire.scratch, &msg, &err), 0);
}

static void note_type(const char *dir, const char *name, bool *seen)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", dir, name), *data = NULL;
	struct ipc_msg msg;
	size_t len = 0;
	struct err err;

	assert_ok(fd_read_file(path, IPC_MAX_SIZE, &data, &len, &err));
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		if (ipc_decode(data, len, sides[i], &msg, &err) == 0)
			seen[msg.type] = true;
}

/* make-corpus has the table once more, in Python. */
static void every_message_has_a_seed_for_the_fuzzer(void **state)
{
	const char *srcdir = getenv("srcdir"); /* automake's */
	AUTO(mem_free) char *path = mem_printf("%s/tests/fuzz/corpus/ipc", srcdir ?: ".");
	bool seen[IPC_TYPE_COUNT] = {false};
	DIR *dir = opendir(path);

	(void)state;
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.')
			note_type(path, e->d_name, seen);
	closedir(dir);
	for (int type = 0; type < IPC_TYPE_COUNT; type++)
		if (!seen[type])
			fail_msg("no input in %s is a %s message", path, messages[type].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_back_as_it_was),
		cmocka_unit_test(fields_arrive_under_their_names),
		cmocka_unit_test(the_wrong_side_is_refused),
		cmocka_unit_test(every_message_is_refused_at_every_shorter_length_and_with_a_byte_more),
		cmocka_unit_test(an_enumeration_out_of_its_range_is_refused),
		cmocka_unit_test(a_sandbox_goes_back_for_a_reason_or_for_none),
		cmocka_unit_test(a_type_that_does_not_exist_is_refused),
		cmocka_unit_test(a_message_over_the_limit_is_not_encoded),
		cmocka_unit_test(every_message_crosses_a_socket_with_its_descriptors),
		cmocka_unit_test(a_wrong_number_of_descriptors_is_refused_and_not_leaked),
		cmocka_unit_test(a_message_with_more_descriptors_than_any_has_is_refused_and_none_leaked),
		cmocka_unit_test(what_does_not_decode_is_refused_and_its_descriptors_closed),
		cmocka_unit_test(every_message_has_a_seed_for_the_fuzzer),
		cmocka_unit_test(waiting_ends_at_the_deadline_or_the_end_of_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
