#include "master/resources/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"

static struct sockaddr_un address;
static socklen_t address_len; /* 0: there is no service manager to notify */

void notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	address_len = 0;
	if (path != NULL && (path[0] == '/' || path[0] == '@') && strlen(path) < sizeof(address.sun_path)) {
		address = (struct sockaddr_un){.sun_family = AF_UNIX};
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
		address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
		if (path[0] == '@')
			address.sun_path[0] = '\0'; /* an abstract socket: its name has no final NUL */
	}
	unsetenv("NOTIFY_SOCKET");
}

void notify_pass_on(void)
{
	char path[sizeof(address.sun_path) + 1] = "";

	if (address_len == 0)
		return;
	memcpy(path, address.sun_path, address_len - offsetof(struct sockaddr_un, sun_path));
	if (path[0] == '\0')
		path[0] = '@';
	setenv("NOTIFY_SOCKET", path, 1);
}

int notify_send(const char *state, struct err *err)
{
	if (address_len == 0)
		return 0;
	AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, address_len) < 0)
		return err_set(err, errno, "tell the service manager %s", state);
	return 0;
}
