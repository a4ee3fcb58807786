#include "poolmgr/node/backlog.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/inherited.h"

#define ANSWER_MS 200

/* Identifies a socket's file; the device number is the kernel's, with 20 bits for the minor number. */
struct file {
	uint32_t device, inode;
};

struct search {
	struct file files[INHERITED_LISTENERS_MAX];
	int count;
	struct backlog *backlog;
};

static int find_files(const char *run_dir, int lanes, struct search *s)
{
	for (int i = 0; i < lanes && i < INHERITED_LISTENERS_MAX; i++) {
		AUTO(mem_free) char *path = mem_printf("%s/invoke-%d.sock", run_dir, i);
		struct stat st;
		if (stat(path, &st) == 0)
			s->files[s->count++] = (struct file){major(st.st_dev) << 20 | minor(st.st_dev), (uint32_t)st.st_ino};
	}
	return s->count;
}

static int ask(int fd, struct err *err)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = AF_UNIX,
			    .udiag_states = 1u << TCP_LISTEN,
			    .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN},
	};

	return send(fd, &message, sizeof(message), 0) < 0 ? err_set(err, errno, "ask the kernel for sockets") : 0;
}

static bool is_lane(const struct search *s, const struct unix_diag_vfs *vfs)
{
	for (int i = 0; i < s->count; i++)
		if (s->files[i].device == vfs->udiag_vfs_dev && s->files[i].inode == vfs->udiag_vfs_ino)
			return true;
	return false;
}

static void take_socket(struct search *s, const struct nlmsghdr *header)
{
	const struct unix_diag_vfs *vfs = NULL;
	const struct unix_diag_rqlen *queue = NULL;
	int left = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof(struct unix_diag_msg));

	for (const struct rtattr *a =
		     (const void *)((const char *)NLMSG_DATA(header) + NLMSG_ALIGN(sizeof(struct unix_diag_msg)));
	     RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(a) >= sizeof(*vfs))
			vfs = RTA_DATA(a);
		else if (a->rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(a) >= sizeof(*queue))
			queue = RTA_DATA(a);
	}
	if (vfs == NULL || queue == NULL || !is_lane(s, vfs))
		return;
	s->backlog->lanes++;
	s->backlog->waiting += (int)queue->udiag_rqueue;
	s->backlog->longest = MAX(s->backlog->longest, (int)queue->udiag_rqueue);
}

/* Returns whether more answers follow; -1 on an error. */
static int take_piece(struct search *s, const char *data, size_t len, struct err *err)
{
	for (const struct nlmsghdr *h = (const void *)data; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return err_set(err, -((const struct nlmsgerr *)NLMSG_DATA(h))->error, "the kernel's list of sockets");
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
			take_socket(s, h);
	}
	return 1;
}

int backlog_read(const char *run_dir, int lanes, struct backlog *backlog, struct err *err)
{
	AUTO(fd_close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval timeout = {.tv_usec = ANSWER_MS * 1000};
	struct search search = {.backlog = backlog};
	_Alignas(struct nlmsghdr) char data[16384];
	int more = 1;

	*backlog = (struct backlog){0};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return err_set(err, errno, "socket to the kernel");
	if (find_files(run_dir, lanes, &search) == 0)
		return 0;
	if (ask(fd, err) < 0)
		return -1;
	while (more > 0) {
		ssize_t n = recv(fd, data, sizeof(data), 0);
		more = n < 0 ? err_set(err, errno, "the kernel's list of sockets") : take_piece(&search, data, (size_t)n, err);
	}
	if (more < 0)
		*backlog = (struct backlog){0};
	return more;
}
