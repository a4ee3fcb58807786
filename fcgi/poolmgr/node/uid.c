#include "poolmgr/node/uid.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"

static int64_t base, count;
static int64_t next; /* where to look next, relative to base */
static bool *taken;  /* ids taken by this process, whose own locks would not stop it */
static int locks_fd = -1;

static bool set_lock(int64_t n, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = base + n, .l_len = 1};

	return fcntl(locks_fd, F_OFD_SETLK, &lock) == 0;
}

/* Returns -1 when there is none. */
static int64_t find(bool may_be_others)
{
	for (int64_t i = 0; i < count; i++) {
		int64_t n = (next + i) % count;
		if (!taken[n] && (set_lock(n, F_WRLCK) || may_be_others))
			return n;
	}
	return -1;
}

uint32_t uid_take(void)
{
	int64_t n = find(false);

	if (n < 0) /* sharing a user id is tolerable: the two sandboxes only share the limit on processes */
		n = find(true);
	if (n < 0)
		abort(); /* cannot happen, because the configuration has more uids than sandboxes */
	taken[n] = true;
	next = n + 1;
	return (uint32_t)(base + n);
}

void uid_give_back(uint32_t uid)
{
	taken[uid - base] = false;
	set_lock(uid - base, F_UNLCK);
}

int uid_init(const struct conf *conf, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/uids", conf->master_state_dir);
	AUTO(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	base = conf->sandbox_uid_base;
	count = conf->sandbox_uid_count;
	next = (int64_t)randombytes_uniform((uint32_t)count);
	mem_free(&taken);
	taken = mem_alloc((size_t)count * sizeof(*taken));
	fd_close(&locks_fd);
	locks_fd = TAKE_FD(fd);
	return 0;
}
