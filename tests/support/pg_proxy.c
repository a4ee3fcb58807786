#include "tests/support/pg_proxy.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#define PAIRS_MAX 16
#define LATE_US   500000

/* The simple query "commit", as libpq sends it. */
static const char commit[] = "Q\0\0\0\x0b"
			     "commit";

/* One connection: from the client, and ours to the server. */
struct pair {
	int client, server;
	bool loses_answer;    /* what the server says next is not passed on, and both ends are closed */
	int64_t commit_at_us; /* when COMMIT, which was held back, is sent; 0: none was */
};

static struct pair pairs[PAIRS_MAX];
static int count;
static bool cut_done, gone;

static void drop(int index)
{
	fd_close(&pairs[index].client);
	fd_close(&pairs[index].server);
	pairs[index] = pairs[--count];
}

static void pass_on(int to, const char *data, size_t len)
{
	for (ssize_t n; len > 0; data += n, len -= (size_t)n)
		if ((n = send(to, data, len, MSG_NOSIGNAL)) <= 0)
			return;
}

/* Returns whether the pair is still of use. */
static bool from_client(struct pair *p, enum pg_proxy_cut cut)
{
	char data[65536];
	ssize_t n = recv(p->client, data, sizeof(data), 0);

	if (n <= 0)
		return false;
	if (cut_done || memmem(data, (size_t)n, commit, sizeof(commit)) == NULL) {
		pass_on(p->server, data, (size_t)n);
		return true;
	}
	cut_done = true;
	if (cut == PG_PROXY_BEFORE)
		return false;
	if (cut == PG_PROXY_LATE) {
		p->commit_at_us = clock_mono_us() + LATE_US;
		fd_close(&p->client);
		return true;
	}
	p->loses_answer = true;
	pass_on(p->server, data, (size_t)n);
	return true;
}

static bool from_server(struct pair *p, enum pg_proxy_cut cut)
{
	char data[65536];
	ssize_t n = recv(p->server, data, sizeof(data), 0);

	if (n <= 0 || p->loses_answer) {
		gone = gone || (p->loses_answer && cut == PG_PROXY_GONE);
		return false;
	}
	if (p->client >= 0)
		pass_on(p->client, data, (size_t)n);
	return p->client >= 0; /* the late one was answered */
}

static void take(int listener, const char *server_path)
{
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct err err;

	if (client < 0)
		return;
	int server = gone || count == PAIRS_MAX ? -1 : fd_connect_unix(server_path, SOCK_STREAM, &err);
	if (server < 0)
		close(client);
	else
		pairs[count++] = (struct pair){.client = client, .server = server};
}

static void look_at(int index, const struct pollfd fds[2], enum pg_proxy_cut cut)
{
	struct pair *p = &pairs[index];

	if (p->commit_at_us != 0 && clock_mono_us() >= p->commit_at_us) {
		pass_on(p->server, commit, sizeof(commit));
		p->commit_at_us = 0;
	}
	if ((fds[0].revents != 0 && !from_client(p, cut)) || (fds[1].revents != 0 && !from_server(p, cut)))
		drop(index);
}

static void serve(int listener, const char *server_path, enum pg_proxy_cut cut)
{
	for (;;) {
		struct pollfd fds[1 + 2 * PAIRS_MAX] = {{.fd = listener, .events = POLLIN}};
		for (int i = 0; i < count; i++) {
			fds[1 + 2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
			fds[2 + 2 * i] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
		}
		poll(fds, (nfds_t)(1 + 2 * count), 20);
		for (int i = count - 1; i >= 0; i--)
			look_at(i, &fds[1 + 2 * i], cut);
		if (fds[0].revents != 0)
			take(listener, server_path);
	}
}

void pg_proxy_start(struct pg_proxy *proxy, struct conf *conf, enum pg_proxy_cut cut)
{
	char dir[] = "/tmp/berth-pg-proxy-XXXXXX", server_dir[200];
	struct err err;

	if (mkdtemp(dir) == NULL || sscanf(conf->database_conninfo, "host=%199s", server_dir) != 1)
		abort();
	AUTO(mem_free) char *path = mem_printf("%s/.s.PGSQL.5432", dir);
	AUTO(mem_free) char *server_path = mem_printf("%s/.s.PGSQL.5432", server_dir);
	AUTO(mem_free) char *rest = mem_strdup(strchr(conf->database_conninfo, ' '));
	AUTO(fd_close) int listener = fd_listen_unix(AT_FDCWD, path, SOCK_STREAM, 0600, 8, &err);
	if (listener < 0)
		abort();
	proxy->dir = mem_strdup(dir);
	mem_free(&conf->database_conninfo);
	conf->database_conninfo = mem_printf("host=%s%s", dir, rest);
	proxy->pid = fork();
	if (proxy->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener, server_path, cut);
	}
}

void pg_proxy_end(struct pg_proxy *proxy)
{
	if (proxy->dir == NULL)
		return;
	AUTO(mem_free) char *path = mem_printf("%s/.s.PGSQL.5432", proxy->dir);
	kill(proxy->pid, SIGKILL);
	waitpid(proxy->pid, NULL, 0);
	unlink(path);
	rmdir(proxy->dir);
	mem_free(&proxy->dir);
}
