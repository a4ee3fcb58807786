#include "ipc/ipc.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/fdpass.h"

/* lease_fields[] = {{FIELD_U64, offsetof(struct ipc_msg, lease.seq)}, …}; and so on. */
#define IPC_MESSAGE(NAME, name, sender, fds) static const struct field name##_fields[] = {
#define IPC_FIELD(name, type, field)         {FIELD_##type, offsetof(struct ipc_msg, name.field)},
#define IPC_ENUM(name, exists, field)        {FIELD_U8, offsetof(struct ipc_msg, name.field)},
#define IPC_END(name)                                                                                                          \
	}                                                                                                                      \
	;
#include "ipc/ipc_msg.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_ENUM
#undef IPC_END

static_assert(PROBLEM_COUNT <= UINT8_MAX && COUNTER_COUNT <= UINT8_MAX, "each has its byte");

static bool ipc_start_exists(unsigned kind)
{
	return kind > IPC_START_NONE && kind < IPC_START_COUNT;
}

/* deny_enums_exist() and so on: whether all enumerations of the message are in their range. */
#define IPC_MESSAGE(NAME, name, sender, fds)                                                                                   \
	static bool name##_enums_exist(const struct ipc_msg *msg)                                                              \
	{                                                                                                                      \
		(void)msg;                                                                                                     \
		return true
#define IPC_FIELD(name, type, field)
#define IPC_ENUM(name, exists, field) &&exists(msg->name.field)
#define IPC_END(name)                                                                                                          \
	;                                                                                                                      \
	}
#include "ipc/ipc_msg.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_ENUM
#undef IPC_END

static const struct message {
	const char *name;
	enum ipc_side sender;
	int fds;
	const struct field *fields;
	size_t field_count;
	bool (*enums_exist)(const struct ipc_msg *msg);
} messages[IPC_TYPE_COUNT] = {
#define IPC_MESSAGE(NAME, name, sender, fds)                                                                                   \
	[IPC_##NAME] = {#NAME, IPC_##sender, fds, name##_fields, ARRAY_SIZE(name##_fields), name##_enums_exist},
#define IPC_FIELD(name, type, field)
#define IPC_ENUM(name, exists, field)
#define IPC_END(name)
#include "ipc/ipc_msg.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_ENUM
#undef IPC_END
};

const char *ipc_name(enum ipc_type type)
{
	return (unsigned)type < IPC_TYPE_COUNT ? messages[type].name : "?";
}

int ipc_encode(const struct ipc_msg *msg, struct buf *out, struct err *err)
{
	const struct message *m = &messages[msg->type];

	buf_reset(out);
	buf_add_u8(out, (uint8_t)msg->type);
	fields_encode(m->fields, m->field_count, msg, out);
	if (out->len > IPC_MAX_SIZE)
		return err_set(err, EMSGSIZE, "%s message of %zu bytes", m->name, out->len);
	return 0;
}

int ipc_decode(const void *data, size_t len, enum ipc_side sender, struct ipc_msg *msg, struct err *err)
{
	struct ipc_msg decoded = {.fds = IPC_NO_FDS};

	if (len == 0 || len > IPC_MAX_SIZE || *(const uint8_t *)data >= IPC_TYPE_COUNT)
		return err_set(err, EPROTO, "message of %zu bytes and unknown type", len);
	decoded.type = (enum ipc_type) * (const uint8_t *)data;

	const struct message *m = &messages[decoded.type];
	if (m->sender != sender)
		return err_set(err, EPROTO, "%s message from the wrong side", m->name);
	if (fields_decode(m->fields, m->field_count, (const char *)data + 1, len - 1, &decoded) < 0 ||
	    !m->enums_exist(&decoded))
		return err_set(err, EPROTO, "%s message of %zu bytes, which does not decode", m->name, len);
	*msg = decoded;
	return 0;
}

int ipc_send(int fd, const struct ipc_msg *msg, struct err *err)
{
	static struct buf datagram; /* allocated once and used for every send of this process */

	if (ipc_encode(msg, &datagram, err) < 0)
		return -1;
	return fdpass_send(fd, datagram.data, datagram.len, msg->fds, messages[msg->type].fds, err);
}

int ipc_recv(int fd, enum ipc_side sender, int64_t deadline_us, struct buf *scratch, struct ipc_msg *msg, struct err *err)
{
	int count = 0, fds[IPC_MAX_FDS];

	if (deadline_us != 0) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int ready;
		do
			ready = poll(&p, 1, clock_left_ms(deadline_us));
		while (ready < 0 && errno == EINTR);
		if (ready == 0)
			return err_set(err, EAGAIN, "no message in time");
	}

	buf_reset(scratch);
	ssize_t n = fdpass_recv(fd, buf_reserve(scratch, IPC_MAX_SIZE), IPC_MAX_SIZE, fds, IPC_MAX_FDS, &count, err);
	if (n <= 0)
		return (int)n;
	scratch->len = (size_t)n;

	struct ipc_msg received = {.fds = IPC_NO_FDS};
	int rc = ipc_decode(scratch->data, scratch->len, sender, &received, err);
	for (int i = 0; i < count; i++)
		received.fds[i] = fds[i];
	if (rc == 0 && messages[received.type].fds != count)
		rc = err_set(err, EPROTO, "%s message with %d descriptors", messages[received.type].name, count);
	if (rc < 0) {
		ipc_close_fds(&received);
		return -1;
	}
	*msg = received;
	return 1;
}

void ipc_close_fds(struct ipc_msg *msg)
{
	for (int i = 0; i < IPC_MAX_FDS; i++)
		fd_close(&msg->fds[i]);
}
