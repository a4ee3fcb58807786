#include "tests/support/fake_docker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

/* One client's connection. */
struct conn {
	uv_pipe_t pipe;
	struct fake_docker *docker;
	struct buf in;
	bool streaming; /* an event stream: nothing else happens here any more */
	bool closing;
	struct conn *prev, *next;
};

/* An answer that waits. */
struct held {
	enum fake_call call;
	struct conn *conn; /* NULL: gone meanwhile */
	int status;
	char *body;
	struct held *prev, *next;
};

struct fake_internals {
	uv_loop_t *loop;
	char *path;
	uv_pipe_t *listener; /* NULL while stopped */
	struct conn *conns;
	struct held *held;
};

struct request {
	char method[8];
	char *path; /* decoded, with the query */
	const char *body;
	size_t body_len;
	bool is_json; /* says its Content-Type */
};

/* ---- Connections ---- */

static void on_conn_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	buf_free(&c->in);
	free(c);
}

static void conn_close(struct conn *c)
{
	struct held *h;

	if (c->closing)
		return;
	c->closing = true;
	DL_FOREACH (c->docker->in->held, h)
		if (h->conn == c)
			h->conn = NULL;
	DL_DELETE(c->docker->in->conns, c);
	c->docker->connections--;
	uv_close((uv_handle_t *)&c->pipe, on_conn_closed);
}

struct out {
	uv_write_t write;
	bool then_close;
	struct conn *conn;
	char data[];
};

static void on_written(uv_write_t *write, int status)
{
	struct out *out = write->data;

	if (status == 0 && out->then_close)
		conn_close(out->conn);
	free(out);
}

static void conn_send(struct conn *c, const char *data, size_t len, bool then_close)
{
	struct out *out = mem_alloc(sizeof(*out) + len);
	uv_buf_t buf = uv_buf_init(out->data, (unsigned)len);

	memcpy(out->data, data, len);
	out->conn = c;
	out->then_close = then_close;
	out->write.data = out;
	if (uv_write(&out->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written) != 0)
		free(out);
}

static void conn_answer(struct conn *c, int status, const char *body)
{
	AUTO(buf_free) struct buf text = {0};

	buf_printf(&text, "HTTP/1.1 %d Whatever\r\n", status);
	if (status != 204 && status != 304)
		buf_printf(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
	buf_add_str(&text, "\r\n");
	if (status != 204 && status != 304)
		buf_add_str(&text, body);
	conn_send(c, text.data, text.len, false);
}

/* ---- Containers ---- */

static void container_free(struct fake_docker *d, struct fake_container *c)
{
	DL_DELETE(d->containers, c);
	fake_container_hang_up(c);
	fd_close(&c->end_fd);
	free(c->name);
	free(c->sandbox_id);
	free(c->state);
	json_decref(c->body);
	free(c);
}

static const char *label_of(const struct fake_container *c, const char *label)
{
	return json_string_value(json_object_get(json_object_get(c->body, "Labels"), label));
}

static struct fake_container *container_new(struct fake_docker *d, const char *name, json_t *body, const char *state)
{
	static unsigned number;
	struct fake_container *c = mem_alloc(sizeof(*c));

	snprintf(c->id, sizeof(c->id), "%056x%08x", 0xc0ffeeu, ++number);
	c->exit_code = 137;
	c->name = mem_strdup(name);
	c->body = body;
	c->state = mem_strdup(state);
	c->control_fd = c->log_fd = c->error_log_fd = c->end_fd = -1;
	const char *id = label_of(c, "berth.sandbox");
	c->sandbox_id = mem_strdup(id ? id : "");
	DL_APPEND(d->containers, c);
	return c;
}

static void set_state(struct fake_container *c, const char *state)
{
	free(c->state);
	c->state = mem_strdup(state);
}

static struct fake_container *find_by_name(const struct fake_docker *d, const char *name, size_t len)
{
	struct fake_container *c;

	DL_FOREACH (d->containers, c)
		if (strlen(c->name) == len && strncmp(c->name, name, len) == 0)
			return c;
	return NULL;
}

struct fake_container *fake_docker_find(const struct fake_docker *d, const char *sandbox_id)
{
	struct fake_container *c;

	DL_FOREACH (d->containers, c)
		if (strcmp(c->sandbox_id, sandbox_id) == 0)
			return c;
	return NULL;
}

int fake_docker_count(const struct fake_docker *d)
{
	const struct fake_container *c;
	int n;

	DL_COUNT(d->containers, c, n);
	return n;
}

struct fake_container *fake_docker_add(struct fake_docker *d, const char *instance, const char *sandbox_id, const char *state)
{
	AUTO(mem_free) char *name = mem_printf("berth-%s-%s", instance, sandbox_id);
	json_t *body = json_pack("{s:{s:s, s:s}}", "Labels", "berth.instance", instance, "berth.sandbox", sandbox_id);

	return container_new(d, name, body, state);
}

/* ---- Agents ---- */

/* The host directory that is mounted at /berth. */
static const char *host_dir(const struct fake_container *c)
{
	json_t *mounts = json_object_get(json_object_get(c->body, "HostConfig"), "Mounts"), *mount;
	size_t i;

	json_array_foreach (mounts, i, mount)
		if (strcmp(json_string_value(json_object_get(mount, "Target")), "/berth") == 0)
			return json_string_value(json_object_get(mount, "Source"));
	return NULL;
}

static int agent_connect(const struct fake_container *c, const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", host_dir(c), name);

	return fd_connect_unix(path, SOCK_STREAM, NULL);
}

bool fake_container_say(struct fake_container *c, const void *data, size_t len)
{
	return send(c->control_fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

void fake_container_hang_up(struct fake_container *c)
{
	fd_close(&c->control_fd);
	fd_close(&c->log_fd);
	fd_close(&c->error_log_fd);
}

void fake_container_say_end(struct fake_container *c, unsigned char exit_code)
{
	send(c->end_fd, &exit_code, 1, MSG_NOSIGNAL);
	fd_close(&c->end_fd);
}

/* As the launcher does it: control first. */
static void agent_start(enum fake_boot agent, struct fake_container *c)
{
	if (agent == FAKE_BOOT_ABSENT)
		return;
	c->control_fd = agent_connect(c, "control.sock");
	c->end_fd = agent_connect(c, "control.sock");
	if (agent != FAKE_BOOT_NO_LOG) {
		c->log_fd = agent_connect(c, "log.sock");
		c->error_log_fd = agent_connect(c, "log.sock");
	}
	if (agent != FAKE_BOOT_SILENT && agent != FAKE_BOOT_HANGS_UP)
		fake_container_say(c, FAKE_HELLO, FAKE_HELLO_LEN);
	if (agent == FAKE_BOOT_HANGS_UP || agent == FAKE_BOOT_SHORT_LIVED)
		fake_container_hang_up(c);
}

/* ---- Calls: each does what is asked and returns the status; *body is to be freed ---- */

static int refuse(int status, char **body, const char *fmt, const char *arg)
{
	char text[400];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), fmt, arg);
#pragma GCC diagnostic pop
	json_t *json = json_pack("{s:s}", "message", text);
	*body = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return status;
}

static int do_version(struct fake_docker *d, const struct request *r, char **body)
{
	(void)r;
	json_t *json = json_pack("{s:s, s:s}", "Version", d->version, "ApiVersion", d->api);
	if (d->min_api != NULL)
		json_object_set_new(json, "MinAPIVersion", json_string(d->min_api));
	*body = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return 200;
}

static int do_create(struct fake_docker *d, const struct request *r, char **body)
{
	const char *name = strstr(r->path, "?name=");
	json_t *json = json_loadb(r->body, r->body_len, 0, NULL);
	const char *image = json_string_value(json_object_get(json, "Image"));
	int status = 201;

	if (json == NULL || name == NULL || image == NULL || !r->is_json)
		status = refuse(400, body, "bad request to create %s", r->path);
	else if (d->missing_image != NULL && strcmp(image, d->missing_image) == 0)
		status = refuse(404, body, "No such image: %s", image);
	else if (find_by_name(d, name + 6, strlen(name + 6)) != NULL)
		status = refuse(409, body, "Conflict. The container name \"%s\" is already in use", name + 6);
	if (status != 201) {
		json_decref(json);
		return status;
	}
	struct fake_container *c = container_new(d, name + 6, json, "created");
	if (d->boot == FAKE_BOOT_TOO_EARLY)
		agent_start(FAKE_BOOT_TOO_EARLY, c);
	*body = mem_printf("{\"Id\":\"%s\",\"Warnings\":[]}", c->id);
	return status;
}

/* The container in "…/containers/<name><end>"; end NULL: up to the query. */
static struct fake_container *container_in_path(const struct fake_docker *d, const char *path, const char *end)
{
	const char *name = strstr(path, "/containers/") + strlen("/containers/");
	size_t len = end ? (size_t)(strstr(name, end) - name) : strcspn(name, "?");

	return find_by_name(d, name, len);
}

static int do_start(struct fake_docker *d, const struct request *r, char **body)
{
	struct fake_container *c = container_in_path(d, r->path, "/start");

	if (c == NULL)
		return refuse(404, body, "No such container: %s", r->path);
	if (strcmp(c->state, "running") == 0)
		return 304;
	set_state(c, "running");
	if (d->boot != FAKE_BOOT_TOO_EARLY)
		agent_start(d->boot, c);
	return 204;
}

static int do_remove(struct fake_docker *d, const struct request *r, char **body)
{
	struct fake_container *c = container_in_path(d, r->path, NULL);

	if (c == NULL)
		return refuse(404, body, "No such container: %s", r->path);
	if (strcmp(c->state, "running") == 0 && strstr(r->path, "force=true") == NULL)
		return refuse(409, body, "You cannot remove a running container %s", c->name);
	container_free(d, c);
	return 204;
}

static int do_volumes(struct fake_docker *d, const struct request *r, char **body)
{
	json_t *list = json_array();

	(void)r;
	for (int i = 1; i <= d->volumes; i++)
		json_array_append_new(list, json_pack("{s:o, s:s}", "Name", json_sprintf("v%d", i), "Driver", "local"));
	json_t *json = json_pack("{s:o?, s:n}", "Volumes", list, "Warnings");
	*body = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return 200;
}

static int do_volume_remove(struct fake_docker *d, const struct request *r, char **body)
{
	(void)r;
	(void)body;
	d->volumes--;
	return 204;
}

/* Does the filter's "berth.instance=<instance>" go with the container? */
static bool is_wanted(const struct fake_container *c, const json_t *filters)
{
	const char *wanted = json_string_value(json_array_get(json_object_get(filters, "label"), 0));
	const char *instance = label_of(c, "berth.instance");
	AUTO(mem_free) char *have = mem_printf("berth.instance=%s", instance ? instance : "");

	return wanted == NULL || strcmp(wanted, have) == 0;
}

static int do_list(struct fake_docker *d, const struct request *r, char **body)
{
	const char *filters_text = strstr(r->path, "filters=");
	json_t *filters = filters_text ? json_loads(filters_text + 8, 0, NULL) : NULL, *list = json_array();
	const struct fake_container *c;

	DL_FOREACH (d->containers, c)
		if (is_wanted(c, filters) && (strstr(r->path, "all=true") != NULL || strcmp(c->state, "running") == 0))
			json_array_append_new(list, json_pack("{s:s, s:s, s:O?}", "Id", c->id, "State", c->state, "Labels",
							      json_object_get(c->body, "Labels")));
	*body = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	json_decref(filters);
	return 200;
}

static int do_inspect(struct fake_docker *d, const struct request *r, char **body)
{
	const struct fake_container *c = container_in_path(d, r->path, "/json");
	const json_t *mount;
	json_t *mounts = json_array();
	size_t i;

	if (c == NULL) {
		json_decref(mounts);
		return refuse(404, body, "No such container: %s", r->path);
	}
	json_array_foreach (json_object_get(json_object_get(c->body, "HostConfig"), "Mounts"), i, mount)
		json_array_append_new(mounts, json_pack("{s:O, s:O, s:b}", "Type", json_object_get(mount, "Type"),
							"Destination", json_object_get(mount, "Target"), "RW", 0));
	if (d->volume != NULL)
		json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:b}", "Type", "volume", "Name", "4f0c", "Destination",
							d->volume, "RW", 1));
	bool running = strcmp(c->state, "running") == 0, ended = strcmp(c->state, "exited") == 0;
	json_t *json = json_pack("{s:s, s:s, s:o, s:{s:s, s:b, s:b, s:i, s:i}}", "Id", c->id, "Name", c->name, "Mounts", mounts,
				 "State", "Status", c->state, "Running", running, "OOMKilled", ended && c->oom_killed, "Pid",
				 running ? FAKE_PID : 0, "ExitCode", ended ? c->exit_code : 0);
	*body = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return 200;
}

static int do_image(struct fake_docker *d, const struct request *r, char **body)
{
	const char *name = strstr(r->path, "/images/") + strlen("/images/");

	if (d->missing_image != NULL && strncmp(name, d->missing_image, strlen(d->missing_image)) == 0)
		return refuse(404, body, "No such image: %s", d->missing_image);
	*body = mem_printf("{\"Id\":\"%s\"}", d->image_id ?: "sha256:0");
	return 200;
}

static int do_info(struct fake_docker *d, const struct request *r, char **body)
{
	(void)r;
	*body = mem_printf("{\"ID\":\"FAKE\",\"Runtimes\":%s,\"DefaultRuntime\":\"runc\"}", d->runtimes);
	return 200;
}

/* Answered by serve itself: its answer has no end. */
static int do_events(struct fake_docker *d, const struct request *r, char **body)
{
	(void)d;
	(void)r;
	(void)body;
	return 200;
}

static const struct {
	const char *method, *start, *end; /* behind /v1.NN, up to the query; end "": whatever */
	int (*fn)(struct fake_docker *d, const struct request *r, char **body);
} calls[FAKE_CALL_COUNT] = {
	[FAKE_VERSION] = {"GET", "/version", "", do_version},
	[FAKE_CREATE] = {"POST", "/containers/create", "", do_create},
	[FAKE_START] = {"POST", "/containers/", "/start", do_start},
	[FAKE_VOLUMES] = {"GET", "/volumes", "", do_volumes},
	[FAKE_VOLUME_REMOVE] = {"DELETE", "/volumes/", "", do_volume_remove},
	[FAKE_REMOVE] = {"DELETE", "/containers/", "", do_remove},
	[FAKE_LIST] = {"GET", "/containers/json", "", do_list},
	[FAKE_INSPECT] = {"GET", "/containers/", "/json", do_inspect}, /* behind FAKE_LIST, which looks like one */
	[FAKE_IMAGE] = {"GET", "/images/", "/json", do_image},
	[FAKE_EVENTS] = {"GET", "/events", "", do_events},
	[FAKE_INFO] = {"GET", "/info", "", do_info},
};

/* ---- Requests ---- */

static bool matches(int call, const struct request *r, const char *path)
{
	size_t len = strcspn(path, "?"), end_len = strlen(calls[call].end);

	return strcmp(r->method, calls[call].method) == 0 && strncmp(path, calls[call].start, strlen(calls[call].start)) == 0 &&
	       len >= end_len && strncmp(path + len - end_len, calls[call].end, end_len) == 0;
}

static int find_call(const struct request *r, const char *path)
{
	for (int i = 0; i < FAKE_CALL_COUNT; i++)
		if (matches(i, r, path))
			return i;
	return -1;
}

static void start_stream(struct conn *c)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

	c->streaming = true;
	conn_send(c, head, sizeof(head) - 1, false);
}

static void hold(struct conn *c, enum fake_call call, int status, const char *body)
{
	struct held *h = mem_alloc(sizeof(*h));

	*h = (struct held){call, c, status, mem_strdup(body ? body : ""), NULL, NULL};
	DL_APPEND(c->docker->in->held, h);
}

static void serve_call(struct conn *c, enum fake_call call, const struct request *r)
{
	struct fake_docker *d = c->docker;
	const struct fake_manner *m = &d->manner[call];
	AUTO(mem_free) char *body = NULL;
	int status = m->status;

	d->calls[call]++;
	free(d->last_path[call]);
	d->last_path[call] = mem_strdup(r->path);
	if (m->raw != NULL) {
		conn_send(c, m->raw, strlen(m->raw), true);
		return;
	}
	if (status == 0)
		status = calls[call].fn(d, r, &body);
	else
		body = mem_strdup(m->body ? m->body : "");
	if (m->hold)
		hold(c, call, status, body);
	else if (call == FAKE_EVENTS && status == 200)
		start_stream(c);
	else
		conn_answer(c, status, body ? body : "");
}

/* Does the engine speak the version of the path? If not, that is answered. */
static bool check_api_version(struct conn *c, const struct request *r)
{
	const char *min_api = c->docker->min_api ? c->docker->min_api : "1.12";
	int minor, max = 0, min = 0;
	char message[100];

	sscanf(c->docker->api, "1.%d", &max);
	sscanf(min_api, "1.%d", &min);
	if (sscanf(r->path, "/v1.%d/", &minor) != 1 || (minor >= min && minor <= max))
		return true;
	snprintf(message, sizeof(message), "{\"message\":\"client version 1.%d is too %s\"}", minor,
		 minor < min ? "old" : "new");
	conn_answer(c, 400, message);
	return false;
}

static void serve(struct conn *c, const struct request *r)
{
	int used = 0, minor;
	const char *path = sscanf(r->path, "/v1.%d%n", &minor, &used) == 1 ? r->path + used : r->path;
	int call = find_call(r, path);

	if (call >= 0 && (c->docker->manner[call].raw != NULL || check_api_version(c, r))) {
		serve_call(c, (enum fake_call)call, r);
	} else if (call < 0) {
		c->docker->unknown_calls++;
		conn_answer(c, 404, "{\"message\":\"page not found\"}");
	}
}

static char *percent_decoded_new(const char *text, size_t len)
{
	char *out = mem_alloc(len + 1), *p = out;
	unsigned byte;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%' && i + 2 < len && sscanf(text + i + 1, "%2x", &byte) == 1) {
			*p++ = (char)byte;
			i += 2;
		} else {
			*p++ = text[i];
		}
	}
	return out;
}

/* Serves one whole request at the front of the input; false when there is none yet. */
static bool serve_next(struct conn *c)
{
	const char *head = buf_str(&c->in), *end = strstr(head, "\r\n\r\n");
	struct request r = {0};
	size_t body_len = 0;

	if (end == NULL || c->streaming || c->closing)
		return false;
	const char *length = strcasestr(head, "\r\nContent-Length:"), *type = strcasestr(head, "\r\nContent-Type:");
	if (length != NULL && length < end)
		body_len = (size_t)strtoul(length + 17, NULL, 10);
	r.body = end + 4;
	r.body_len = body_len;
	r.is_json = type != NULL && type < end && strncmp(type + 15, " application/json\r", 18) == 0;
	if (c->in.len < (size_t)(r.body - head) + body_len)
		return false;

	const char *space = strchr(head, ' ');
	snprintf(r.method, sizeof(r.method), "%.*s", (int)(space - head), head);
	r.path = percent_decoded_new(space + 1, strcspn(space + 1, " "));
	serve(c, &r);
	free(r.path);
	buf_consume(&c->in, (size_t)(r.body - head) + body_len);
	return true;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct conn *c = handle->data;

	*buf = uv_buf_init(buf_reserve(&c->in, suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = stream->data;

	(void)buf;
	if (n < 0) {
		conn_close(c);
		return;
	}
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = '\0';
	while (serve_next(c))
		;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct fake_docker *d = listener->data;
	struct conn *c = mem_alloc(sizeof(*c));

	assert(status == 0);
	c->docker = d;
	uv_pipe_init(d->in->loop, &c->pipe, 0);
	c->pipe.data = c;
	DL_APPEND(d->in->conns, c);
	d->connections++;
	uv_accept(listener, (uv_stream_t *)&c->pipe);
	uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
}

/* ---- What tests do with it ---- */

int fake_docker_held(const struct fake_docker *d, enum fake_call call)
{
	const struct held *h;
	int n = 0;

	DL_FOREACH (d->in->held, h)
		n += h->call == call && h->conn != NULL;
	return n;
}

int fake_docker_let_go(struct fake_docker *d, enum fake_call call)
{
	struct held *h, *next;
	int n = 0;

	DL_FOREACH_SAFE (d->in->held, h, next) {
		if (h->call != call)
			continue;
		DL_DELETE(d->in->held, h);
		if (h->conn != NULL) {
			conn_answer(h->conn, h->status, h->body);
			n++;
		}
		free(h->body);
		free(h);
	}
	return n;
}

void fake_docker_emit(struct fake_docker *d, const char *data, size_t len)
{
	AUTO(buf_free) struct buf chunk = {0};
	struct conn *c;

	buf_printf(&chunk, "%zx\r\n", len);
	buf_add(&chunk, data, len);
	buf_add_str(&chunk, "\r\n");
	DL_FOREACH (d->in->conns, c)
		if (c->streaming)
			conn_send(c, chunk.data, chunk.len, false);
}

void fake_docker_end_events(struct fake_docker *d)
{
	struct conn *c, *next;

	DL_FOREACH_SAFE (d->in->conns, c, next)
		if (c->streaming)
			conn_close(c);
}

int fake_docker_streams(const struct fake_docker *d)
{
	const struct conn *c;
	int n = 0;

	DL_FOREACH (d->in->conns, c)
		n += c->streaming;
	return n;
}

char *fake_docker_event_new(const char *instance, const char *sandbox_id, const char *exit_code)
{
	json_t *json =
		json_pack("{s:s, s:s, s:{s:s, s:{s:s, s:s, s:s*}}}", "Type", "container", "Action", "die", "Actor", "ID", "0",
			  "Attributes", "berth.instance", instance, "berth.sandbox", sandbox_id, "exitCode", exit_code);
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

void fake_docker_forget(struct fake_docker *d, const char *sandbox_id)
{
	container_free(d, fake_docker_find(d, sandbox_id));
}

void fake_docker_die(struct fake_docker *d, const char *sandbox_id, bool told)
{
	struct fake_container *c = fake_docker_find(d, sandbox_id);

	assert(c != NULL);
	set_state(c, "exited");
	fake_container_hang_up(c);
	fd_close(&c->end_fd);
	if (!told)
		return;
	AUTO(mem_free) char *code = mem_printf("%d", c->exit_code);
	AUTO(mem_free) char *event = fake_docker_event_new(label_of(c, "berth.instance"), sandbox_id, code);
	AUTO(mem_free) char *line = mem_printf("%s\n", event);
	fake_docker_emit(d, line, strlen(line));
}

void fake_docker_reset(struct fake_docker *d)
{
	for (int i = 0; i < FAKE_CALL_COUNT; i++) {
		d->manner[i] = (struct fake_manner){0};
		d->calls[i] = 0;
		mem_free(&d->last_path[i]);
		fake_docker_let_go(d, (enum fake_call)i);
	}
	d->version = "20.10.24";
	d->api = "1.41";
	d->min_api = "1.12";
	d->missing_image = NULL;
	d->image_id = NULL;
	d->volume = NULL;
	d->runtimes = "{\"runc\":{\"path\":\"runc\"},\"berth-runsc\":{\"path\":\"/usr/local/bin/runsc\"},"
		      "\"berth-runc-egress\":{},\"berth-runsc-egress\":{}}";
	d->boot = FAKE_BOOT_GOOD;
	d->unknown_calls = 0;
}

void fake_docker_start(struct fake_docker *d)
{
	assert(d->in->listener == NULL);
	unlink(d->in->path);
	d->in->listener = mem_alloc(sizeof(*d->in->listener));
	uv_pipe_init(d->in->loop, d->in->listener, 0);
	d->in->listener->data = d;
	if (uv_pipe_bind(d->in->listener, d->in->path) != 0 ||
	    uv_listen((uv_stream_t *)d->in->listener, 64, on_connection) != 0)
		abort();
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

void fake_docker_stop_listening(struct fake_docker *d)
{
	if (d->in->listener != NULL)
		uv_close((uv_handle_t *)d->in->listener, free_handle); /* removes the socket, too */
	d->in->listener = NULL;
}

void fake_docker_stop(struct fake_docker *d)
{
	struct conn *c, *next;

	DL_FOREACH_SAFE (d->in->conns, c, next)
		conn_close(c);
	fake_docker_stop_listening(d);
}

struct fake_docker *fake_docker_new(uv_loop_t *loop, const char *path)
{
	struct fake_docker *d = mem_alloc(sizeof(*d));

	d->in = mem_alloc(sizeof(*d->in));
	d->in->loop = loop;
	d->in->path = mem_strdup(path);
	fake_docker_reset(d);
	fake_docker_start(d);
	return d;
}

void fake_docker_free(struct fake_docker **docker)
{
	struct fake_docker *d = *docker;

	if (d == NULL)
		return;
	fake_docker_stop(d);
	fake_docker_reset(d);
	while (d->containers != NULL)
		container_free(d, d->containers);
	/* Connections look at their engine no more once they are closing. */
	free(d->in->path);
	free(d->in);
	mem_free(docker);
}
