/* Datagrams between workers, poolmgr and the warden, from each side. What decodes has one encoding only: the one it came from.
 */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "ipc/ipc.h"

static void check(const uint8_t *data, size_t size, enum ipc_side sender)
{
	AUTO(buf_free) struct buf again = {0};
	struct ipc_msg msg;
	struct err err;

	if (ipc_decode(data, size, sender, &msg, &err) < 0)
		return;
	for (int i = 0; i < IPC_MAX_FDS; i++)
		assert(msg.fds[i] == -1);
	assert(ipc_encode(&msg, &again, &err) == 0);
	assert(again.len == size && memcmp(again.data, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(data, size, IPC_WORKER);
	check(data, size, IPC_POOLMGR);
	check(data, size, IPC_WARDEN);
	return 0;
}
