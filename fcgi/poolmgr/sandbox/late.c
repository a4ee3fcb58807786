#include "poolmgr/sandbox/late.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/defs.h"
#include "output/mask.h"
#include "output/printed.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/sandbox/bill.h"

#define READ_SIZE 65536
#define READS     16 /* a log without end must not hold up the loop */

bool late_has_run(const struct late *late)
{
	static const struct uuid none;

	return memcmp(&late->id, &none, sizeof(none)) != 0;
}

static bool has_bytes(int fd)
{
	int bytes = 0;

	return fd >= 0 && ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static void drain(struct printed *printed, enum printed_stream stream, int fd)
{
	ssize_t n = READ_SIZE;

	for (int i = 0; i < READS && n == READ_SIZE; i++) {
		n = recv(fd, printed_reserve(printed, stream, READ_SIZE), READ_SIZE, MSG_DONTWAIT);
		if (n > 0)
			printed_take(printed, stream, (size_t)n, 0);
	}
}

void late_read(struct late *late, const struct version *v, int log_fd, int error_log_fd)
{
	AUTO(printed_free) struct printed printed = {0};
	AUTO(printed_log_free) struct printed_log log = {0}, added = {0};
	const int64_t after_us = clock_wall_us() - (int64_t)late->at_us;

	if (!late_has_run(late) || late->room == 0 || (!has_bytes(log_fd) && !has_bytes(error_log_fd)))
		return;
	AUTO(mask_free) struct mask *mask = mask_new(v->secrets.data, v->secrets.len);
	printed_begin(&printed, late->room, mask, true);
	drain(&printed, PRINTED_STDOUT, log_fd);
	drain(&printed, PRINTED_STDERR, error_log_fd);
	printed_late(&printed);
	printed_finish(&printed, &log, &added, late->room, after_us / 1000);
	late->room -= (uint32_t)added.text.len;
	bill_add_late(v, &late->id, late->at_us, &added, printed.failures);
}
