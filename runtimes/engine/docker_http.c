#include "engine/docker_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/buf.h"
#include "base/mem.h"

/* Longer answers are an error: a list of ten thousand containers takes about 10 MB. */
#define MAX_ANSWER_BYTES (32u << 20)
/* dockerd works on at most this many of our requests at once; the others wait in libcurl. */
#define MAX_CONNECTIONS    16L
#define CONNECT_TIMEOUT_MS 2000L

struct docker_http {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t *timer; /* libcurl's one timer; freed when libuv has closed it */
	char *socket_path;
	struct docker_call *calls;
};

struct docker_call {
	struct docker_http *http;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	char error[CURL_ERROR_SIZE];
	docker_answer_fn done;
	docker_piece_fn piece; /* NULL: the body is collected until the end */
	void *arg;
	struct docker_call *prev, *next;
};

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void call_free(struct docker_call *call)
{
	DL_DELETE(call->http->calls, call);
	curl_multi_remove_handle(call->http->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	buf_free(&call->body);
	free(call);
}

static void finish(struct docker_call *call, CURLcode result)
{
	struct docker_answer answer = {.body = buf_str(&call->body), .len = call->body.len};
	docker_answer_fn done = call->done;
	void *arg = call->arg;
	long status = 0;

	if (result == CURLE_OK) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		answer.status = (int)status;
	} else {
		answer.error = call->error[0] ? call->error : curl_easy_strerror(result);
		answer.refused = result == CURLE_COULDNT_CONNECT;
	}
	if (done != NULL)
		done(&answer, arg);
	call_free(call);
}

/*
 * Runs after libcurl and not from its callbacks, because libcurl must not be called from there, and the receiver of a piece may
 * send a request.
 */
static void hand_on(struct docker_http *http)
{
	struct docker_call *call, *next;
	CURLMsg *msg;
	int left;

	DL_FOREACH_SAFE (http->calls, call, next)
		if (call->piece != NULL && call->body.len > 0) {
			call->piece(call->body.data, call->body.len, call->arg);
			buf_reset(&call->body);
		}
	while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		finish(call, msg->data.result);
	}
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
	struct docker_http *http = poll->data;
	int running, flags = 0;
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)poll, &fd) != 0)
		return;
	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, fd, flags, &running);
	hand_on(http);
}

/* Called by libcurl with the sockets and events it waits for; socket_data is our uv_poll_t of that socket. */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_data)
{
	struct docker_http *http = user;
	uv_poll_t *poll = socket_data;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (poll != NULL) {
			curl_multi_assign(http->multi, fd, NULL);
			uv_close((uv_handle_t *)poll, free_handle);
		}
		return 0;
	}
	if (poll == NULL) {
		poll = mem_alloc(sizeof(*poll));
		if (uv_poll_init(http->loop, poll, fd) != 0) {
			free(poll);
			return -1;
		}
		poll->data = http;
		curl_multi_assign(http->multi, fd, poll);
	}
	int events = (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
	uv_poll_start(poll, events, on_socket_ready);
	return 0;
}

static void on_timer(uv_timer_t *timer)
{
	struct docker_http *http = timer->data;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	hand_on(http);
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *user)
{
	struct docker_http *http = user;

	(void)multi;
	if (timeout_ms < 0)
		uv_timer_stop(http->timer);
	else
		uv_timer_start(http->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
	struct docker_call *call = user;
	size_t len = size * count;

	if (call->body.len + len > MAX_ANSWER_BYTES)
		return 0; /* a short count makes libcurl end the transfer with an error */
	buf_add(&call->body, data, len);
	return len;
}

int docker_http_new(uv_loop_t *loop, const char *socket_path, struct docker_http **http, struct err *err)
{
	static int global_done;

	if (!global_done && curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
		return err_set(err, EIO, "libcurl does not start");
	global_done = 1;

	struct docker_http *h = mem_alloc(sizeof(*h));
	h->loop = loop;
	h->socket_path = mem_strdup(socket_path);
	h->multi = curl_multi_init();
	h->timer = mem_alloc(sizeof(*h->timer));
	uv_timer_init(loop, h->timer);
	h->timer->data = h;
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	/* One more connection for the event stream, which occupies its own forever. */
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, MAX_CONNECTIONS + 1);
	*http = h;
	return 0;
}

void docker_http_free(struct docker_http **http)
{
	struct docker_http *h = *http;
	struct docker_call *call, *next;

	if (h == NULL)
		return;
	DL_FOREACH_SAFE (h->calls, call, next)
		call_free(call);
	curl_multi_cleanup(h->multi);
	uv_close((uv_handle_t *)h->timer, free_handle);
	free(h->socket_path);
	mem_free(http);
}

/* libcurl's own sockets would be inherited by programs that this process executes. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)arg;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static struct docker_call *call_new(struct docker_http *http, const char *path, docker_answer_fn done, void *arg)
{
	AUTO(mem_free) char *url = mem_printf("http://docker%s", path);
	struct docker_call *call = mem_alloc(sizeof(*call));

	call->http = http;
	call->done = done;
	call->arg = arg;
	call->easy = curl_easy_init();
	curl_easy_setopt(call->easy, CURLOPT_UNIX_SOCKET_PATH, http->socket_path);
	curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(call->easy, CURLOPT_URL, url);
	curl_easy_setopt(call->easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(call->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
	DL_APPEND(http->calls, call);
	return call;
}

void docker_http_send(struct docker_http *http, const char *method, const char *path, const char *body, int64_t timeout_ms,
		      docker_answer_fn done, void *arg)
{
	struct docker_call *call = call_new(http, path, done, arg);

	curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	if (strcmp(method, "POST") == 0) {
		call->headers = curl_slist_append(call->headers, "Content-Type: application/json");
		call->headers = curl_slist_append(call->headers, "Expect:");
		curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
		curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, body ? body : "");
	}
	curl_multi_add_handle(http->multi, call->easy);
}

void docker_http_knock(struct docker_http *http, const char *path, int64_t timeout_ms, docker_answer_fn done, void *arg)
{
	struct docker_call *call = call_new(http, path, done, arg);

	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_multi_add_handle(http->multi, call->easy);
}

void docker_http_stream(struct docker_http *http, const char *path, docker_piece_fn piece, docker_answer_fn done, void *arg)
{
	struct docker_call *call = call_new(http, path, done, arg);

	call->piece = piece;
	curl_multi_add_handle(http->multi, call->easy);
}
