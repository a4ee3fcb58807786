#include "engine/docker.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/docker_http.h"

/*
 * The API version this was written for (1.x). An engine may be older, or no longer support it; then the nearest supported
 * version is used.
 */
#define API_MINOR 41

#define PROBE_TIMEOUT_MS 3000
#define PROBE_PERIOD_MS  5000 /* interval of probes while it is up */
#define RETRY_FIRST_MS   200  /* first interval while it is not; doubles */
#define RETRY_MOST_MS    4000
#define STREAM_RETRY_MS  1000 /* pause after an event stream that ended sooner */
#define DOUBT_MS         500  /* shortest time from a probe to an extra one */
#define FAILURES_TO_DOWN 2
#define MAX_EVENT_BYTES  65536
#define PRUNE_AT_ONCE    64
#define PROBES_PER_INFO  6 /* the list of runtimes changes rarely, and costs the engine some milliseconds */

enum health { UNKNOWN, UP, DOWN };

struct docker {
	const struct conf *conf;
	struct docker_events events;
	struct docker_http *http;
	uv_timer_t *timer; /* for the next probe; freed when libuv has closed it */
	enum health health;
	int failures; /* failed probes in a row */
	int64_t retry_ms;
	char problem[400];
	char version[64];
	char prefix[16];  /* "/v1.41" */
	json_t *runtimes; /* the engine's runtimes by name; NULL: not known yet */
	bool containerd;  /* the engine reported it once; one that never does may have none */
	int probes_to_info;
	bool probing;
	bool streaming;            /* the event stream is open */
	int64_t stream_started_us; /* its latest start */
	int64_t probed_us;         /* the latest probe */
	struct buf line;           /* bytes of the event stream up to the next newline */
};

/* ---- Requests ---- */

/* How to judge a request's answer, and the callback. */
struct request {
	struct docker *docker;
	const char *what; /* "create the container": for the error */
	int also_good;    /* a status that counts as success besides 2xx; 0: none */
	docker_done_fn done;
	void *arg;
};

static void on_timer(uv_timer_t *timer);

static void probe_after(struct docker *d, int64_t delay_ms)
{
	uv_timer_start(d->timer, on_timer, (uint64_t)delay_ms, 0);
}

/* Only while it is up; otherwise the next probe comes soon anyway. */
static void probe_within(struct docker *d, int64_t delay_ms)
{
	if (!d->probing && d->health == UP && uv_timer_get_due_in(d->timer) > (uint64_t)delay_ms)
		probe_after(d, delay_ms);
}

/* Docker's errors are {"message": "…"}. */
static void refusal(const struct docker_answer *a, const char *what, struct err *err)
{
	json_t *json = json_loadb(a->body, a->len, 0, NULL);
	const char *message = json_string_value(json_object_get(json, "message"));

	err_set(err, 0, "Docker Engine could not %s: %s (status %d)", what, message ? message : "it gave no reason", a->status);
	err->code = a->status == 404 ? ENOENT : EIO;
	json_decref(json);
}

static int check_answer(struct docker *d, const struct docker_answer *a, const char *what, int also_good, struct err *err)
{
	if (a->status == 0) {
		err_set(err, 0, "Docker Engine at %s did not answer the request to %s: %s", d->conf->docker_socket, what,
			a->error);
		err->code = ENOTCONN;
		probe_within(d, 0);
		return -1;
	}
	if (a->status >= 500)
		docker_doubt(d);
	if (a->status / 100 != 2 && a->status != also_good) {
		refusal(a, what, err);
		return -1;
	}
	return 0;
}

static void on_request_done(const struct docker_answer *a, void *arg)
{
	struct request r = *(struct request *)arg;
	struct err err;

	free(arg);
	int rc = check_answer(r.docker, a, r.what, r.also_good, &err);
	r.done(rc < 0 ? &err : NULL, r.arg);
}

static void send_request(const struct request *r, const char *method, const char *body, const char *path)
{
	struct request *copy = mem_alloc(sizeof(*copy));
	AUTO(mem_free) char *full = mem_printf("%s%s", r->docker->prefix, path);

	*copy = *r;
	docker_http_send(r->docker->http, method, full, body, r->docker->conf->docker_timeout_ms, on_request_done, copy);
}

/* "berth-<instance>-<sandbox>": both are made of characters that need no escaping in a path. */
static char *container_name_new(const struct docker *d, const char *sandbox_id)
{
	return mem_printf("berth-%s-%s", d->conf->master_instance, sandbox_id);
}

/* A query with ?filters={…}, escaped. Steals filters. */
static char *filtered_path_new(const char *path, json_t *filters)
{
	char *text = json_dumps(filters, JSON_COMPACT);
	char *escaped = curl_easy_escape(NULL, text, 0);
	char *full = mem_printf("%sfilters=%s", path, escaped);

	curl_free(escaped);
	free(text);
	json_decref(filters);
	return full;
}

static json_t *instance_filter_new(const struct docker *d)
{
	AUTO(mem_free) char *label = mem_printf("%s=%s", DOCKER_LABEL_INSTANCE, d->conf->master_instance);

	return json_pack("{s:[s]}", "label", label);
}

/* ---- Containers ---- */

struct start {
	struct docker *docker;
	char *name, *image;
	bool has_tmp; /* a volume is mounted at /tmp */
	docker_created_fn created;
	docker_done_fn started;
	void *arg;
};

static void start_free(struct start *s)
{
	free(s->name);
	free(s->image);
	free(s);
}

static void on_started(const struct err *err, void *arg)
{
	struct start s = *(struct start *)arg;

	start_free(arg);
	s.started(err, s.arg);
}

/* Ends the start. The container may exist; the caller removes it. */
static void start_failed(struct start *s, const struct err *err)
{
	struct start ended = *s;

	start_free(s);
	ended.created(err, NULL, ended.arg);
}

/* A member that is missing or of another type counts as false. */
static void read_state(const json_t *json, struct docker_state *state)
{
	const json_t *s = json_object_get(json, "State");
	const char *id = json_string_value(json_object_get(json, "Id"));
	json_int_t pid = json_integer_value(json_object_get(s, "Pid"));

	*state = (struct docker_state){
		.running = json_is_true(json_object_get(s, "Running")),
		.oom_killed = json_is_true(json_object_get(s, "OOMKilled")),
		.pid = pid > 0 && pid <= INT32_MAX ? (int)pid : 0,
		.exit_code = (int)json_integer_value(json_object_get(s, "ExitCode")),
	};
	if (id != NULL && strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64)
		memcpy(state->container_id, id, sizeof(state->container_id));
}

/*
 * If an image declares a VOLUME, Docker mounts a directory of the host's disk there, writable and of unbounded size. Nothing in
 * the request prevents that, so the created container is inspected before the container runs; removing the container removes
 * the volume. The volume that was requested, a tmpfs, replaces one that the image declares there.
 */
static int check_mounts(const struct start *s, const json_t *json, struct err *err)
{
	json_t *mounts = json_object_get(json, "Mounts"), *mount;
	int rc = 0;
	size_t i;

	if (!json_is_array(mounts))
		rc = err_set(err, EPROTO, "Docker Engine does not say what is mounted in the container");
	json_array_foreach (mounts, i, mount) {
		const char *type = json_string_value(json_object_get(mount, "Type"));
		const char *at = json_string_value(json_object_get(mount, "Destination"));
		bool is_tmp = s->has_tmp && at != NULL && strcmp(at, "/tmp") == 0;
		if (type == NULL || strcmp(type, is_tmp ? "volume" : "bind") != 0)
			rc = err_set(err, 0, "the image %s may not be used: it declares a VOLUME, %s, which would be writable",
				     s->image, at ? at : "?");
	}
	return rc;
}

static void on_made(const struct docker_answer *a, void *arg)
{
	struct start *s = arg;
	struct docker_state state;
	struct err err;

	if (check_answer(s->docker, a, "inspect the container", 0, &err) < 0) {
		start_failed(s, &err);
		return;
	}
	AUTO(json_decrefp) json_t *json = json_loadb(a->body, a->len, 0, NULL);
	if (check_mounts(s, json, &err) < 0) {
		start_failed(s, &err);
		return;
	}
	read_state(json, &state);
	s->created(NULL, state.container_id, s->arg);
	AUTO(mem_free) char *path = mem_printf("/containers/%s/start", s->name);
	send_request(&(struct request){s->docker, "start the container", 304 /* it runs */, on_started, s}, "POST", NULL, path);
}

static void on_created(const struct err *err, void *arg)
{
	struct start *s = arg;

	if (err != NULL) {
		start_failed(s, err);
		return;
	}
	AUTO(mem_free) char *path = mem_printf("%s/containers/%s/json", s->docker->prefix, s->name);
	docker_http_send(s->docker->http, "GET", path, NULL, s->docker->conf->docker_timeout_ms, on_made, s);
}

void docker_start(struct docker *d, const struct docker_launch *launch, docker_created_fn created, docker_done_fn started,
		  void *arg)
{
	struct start *s = mem_alloc(sizeof(*s));
	json_t *json = docker_container_json(d->conf, launch);
	char *body = json_dumps(json, JSON_COMPACT);

	*s = (struct start){
		.docker = d,
		.name = container_name_new(d, launch->sandbox_id),
		.image = mem_strdup(launch->image),
		.has_tmp = launch->driver->ignores_nr_inodes,
		.created = created,
		.started = started,
		.arg = arg,
	};
	AUTO(mem_free) char *path = mem_printf("/containers/create?name=%s", s->name);
	send_request(&(struct request){d, "create the container", 0, on_created, s}, "POST", body, path);
	free(body);
	json_decref(json);
}

struct inspection {
	struct docker *docker;
	docker_state_fn done;
	void *arg;
};

static void on_inspected(const struct docker_answer *a, void *arg)
{
	struct inspection i = *(struct inspection *)arg;
	struct docker_state state;
	struct err err;

	free(arg);
	if (check_answer(i.docker, a, "inspect the container", 0, &err) < 0) {
		i.done(&err, NULL, i.arg);
		return;
	}
	AUTO(json_decrefp) json_t *json = json_loadb(a->body, a->len, 0, NULL);
	if (!json_is_boolean(json_object_get(json_object_get(json, "State"), "Running"))) {
		err_set(&err, EPROTO, "Docker Engine does not say whether the container runs");
		i.done(&err, NULL, i.arg);
		return;
	}
	read_state(json, &state);
	i.done(NULL, &state, i.arg);
}

void docker_inspect(struct docker *d, const char *sandbox_id, docker_state_fn done, void *arg)
{
	struct inspection *i = mem_alloc(sizeof(*i));
	AUTO(mem_free) char *name = container_name_new(d, sandbox_id);
	AUTO(mem_free) char *path = mem_printf("%s/containers/%s/json", d->prefix, name);

	*i = (struct inspection){d, done, arg};
	docker_http_send(d->http, "GET", path, NULL, d->conf->docker_timeout_ms, on_inspected, i);
}

/* A missing container (404) counts as removed, and so does one whose removal is under way (409). */
static void on_removed(const struct err *err, void *arg)
{
	struct request r = *(struct request *)arg;

	free(arg);
	r.done(err != NULL && err->code == ENOENT ? NULL : err, r.arg);
}

void docker_remove(struct docker *d, const char *sandbox_id, docker_done_fn done, void *arg)
{
	AUTO(mem_free) char *name = container_name_new(d, sandbox_id);
	AUTO(mem_free) char *path = mem_printf("/containers/%s?force=true&v=true", name);
	struct request *r = mem_alloc(sizeof(*r));

	*r = (struct request){.done = done, .arg = arg};
	send_request(&(struct request){d, "remove the container", 409, on_removed, r}, "DELETE", NULL, path);
}

/* Docker's own prune leaves volumes with options alone. */
static void remove_volume(struct docker *d, const char *name, docker_done_fn done, void *arg)
{
	AUTO(mem_free) char *path = mem_printf("/volumes/%s", name);

	send_request(&(struct request){d, "remove a volume", 404 /* the container is gone */, done, arg}, "DELETE", NULL, path);
}

static bool is_volume_name(const char *name)
{
	return name != NULL && name[0] != '\0' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] == '\0';
}

static void on_volumes(const struct docker_answer *a, void *arg)
{
	struct request r = *(struct request *)arg;
	struct err err;
	json_t *one;
	size_t i;

	free(arg);
	if (check_answer(r.docker, a, r.what, 0, &err) < 0) {
		r.done(&err, r.arg);
		return;
	}
	AUTO(json_decrefp) json_t *json = json_loadb(a->body, a->len, 0, NULL);
	json_array_foreach (json_object_get(json, "Volumes"), i, one) {
		const char *name = json_string_value(json_object_get(one, "Name"));
		if (i < PRUNE_AT_ONCE && is_volume_name(name))
			remove_volume(r.docker, name, r.done, r.arg);
	}
}

void docker_prune(struct docker *d, docker_done_fn done, void *arg)
{
	struct request *r = mem_alloc(sizeof(*r));
	json_t *filters = instance_filter_new(d);

	json_object_set_new(filters, "dangling", json_pack("[s]", "true"));
	AUTO(mem_free) char *path = filtered_path_new("/volumes?", filters);
	AUTO(mem_free) char *full = mem_printf("%s%s", d->prefix, path);
	*r = (struct request){d, "list volumes", 0, done, arg};
	docker_http_send(d->http, "GET", full, NULL, d->conf->docker_timeout_ms, on_volumes, r);
}

struct list {
	struct docker *docker;
	docker_container_fn each;
	docker_done_fn done;
	void *arg;
};

static void on_list(const struct docker_answer *a, void *arg)
{
	struct list l = *(struct list *)arg;
	struct err err;
	json_t *item;
	size_t i;

	free(arg);
	if (check_answer(l.docker, a, "list containers", 0, &err) < 0) {
		l.done(&err, l.arg);
		return;
	}
	json_t *containers = json_loadb(a->body, a->len, 0, NULL);
	if (!json_is_array(containers)) {
		json_decref(containers);
		err_set(&err, EPROTO, "Docker Engine's list of containers is no JSON array");
		l.done(&err, l.arg);
		return;
	}
	json_array_foreach (containers, i, item) {
		const char *id = json_string_value(json_object_get(json_object_get(item, "Labels"), DOCKER_LABEL_SANDBOX));
		const char *container = json_string_value(json_object_get(item, "Id"));
		const char *state = json_string_value(json_object_get(item, "State"));
		if (id != NULL)
			l.each(id, container != NULL ? container : "", state != NULL && strcmp(state, "running") == 0, l.arg);
	}
	json_decref(containers);
	l.done(NULL, l.arg);
}

void docker_list(struct docker *d, docker_container_fn each, docker_done_fn done, void *arg)
{
	struct list *l = mem_alloc(sizeof(*l));
	AUTO(mem_free) char *path = filtered_path_new("/containers/json?all=true&", instance_filter_new(d));
	AUTO(mem_free) char *full = mem_printf("%s%s", d->prefix, path);

	*l = (struct list){d, each, done, arg};
	docker_http_send(d->http, "GET", full, NULL, d->conf->docker_timeout_ms, on_list, l);
}

struct image_check {
	struct docker *docker;
	docker_image_fn done;
	void *arg;
};

static void on_image(const struct docker_answer *a, void *arg)
{
	struct image_check c = *(struct image_check *)arg;
	struct err err;

	free(arg);
	if (check_answer(c.docker, a, "find the image", 0, &err) < 0) {
		c.done(&err, NULL, c.arg);
		return;
	}
	AUTO(json_decrefp) json_t *json = json_loadb(a->body, a->len, 0, NULL);
	const char *id = json_string_value(json_object_get(json, "Id"));
	c.done(NULL, id != NULL && strlen(id) < DOCKER_IMAGE_ID_SIZE ? id : "", c.arg);
}

void docker_check_image(struct docker *d, const char *image, docker_image_fn done, void *arg)
{
	struct image_check *c = mem_alloc(sizeof(*c));
	AUTO(mem_free) char *path = mem_printf("%s/images/%s/json", d->prefix, image);

	*c = (struct image_check){d, done, arg};
	docker_http_send(d->http, "GET", path, NULL, d->conf->docker_timeout_ms, on_image, c);
}

/* ---- Events ---- */

/* Returns -1 when it is not a number. */
static int read_exit_code(const char *text)
{
	char *end;

	if (text == NULL || *text == '\0')
		return -1;
	long code = strtol(text, &end, 10);
	return *end == '\0' && code >= 0 && code <= 255 ? (int)code : -1;
}

static void on_event_line(struct docker *d, const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, 0, NULL);
	const json_t *attributes = json_object_get(json_object_get(event, "Actor"), "Attributes");
	const char *id = json_string_value(json_object_get(attributes, DOCKER_LABEL_SANDBOX));
	const char *code = json_string_value(json_object_get(attributes, "exitCode"));
	const char *action = json_string_value(json_object_get(event, "Action"));

	if (id != NULL && action != NULL && strcmp(action, "kill") == 0)
		d->events.signalled(id, d->events.arg);
	else if (id != NULL)
		d->events.died(id, read_exit_code(code), d->events.arg);
	json_decref(event);
}

static void on_event_piece(const char *data, size_t len, void *arg)
{
	struct docker *d = arg;
	char *newline;

	buf_add(&d->line, data, len);
	while (d->line.len > 0 && (newline = memchr(d->line.data, '\n', d->line.len)) != NULL) {
		size_t line_len = (size_t)(newline - d->line.data);
		on_event_line(d, d->line.data, line_len);
		buf_consume(&d->line, line_len + 1);
	}
	if (d->line.len > MAX_EVENT_BYTES)
		buf_reset(&d->line); /* no event is that long; the next listing finds what was missed */
}

static void on_events_end(const struct docker_answer *a, void *arg)
{
	struct docker *d = arg;

	(void)a;
	d->streaming = false;
	buf_reset(&d->line);
	bool lasted = clock_mono_us() - d->stream_started_us > STREAM_RETRY_MS * 1000;
	probe_within(d, lasted ? 0 : STREAM_RETRY_MS);
}

static void stream_events(struct docker *d)
{
	json_t *filters = instance_filter_new(d);

	json_object_set_new(filters, "type", json_pack("[s]", "container"));
	json_object_set_new(filters, "event", json_pack("[s, s]", "die", "kill"));
	AUTO(mem_free) char *path = filtered_path_new("/events?", filters);
	AUTO(mem_free) char *full = mem_printf("%s%s", d->prefix, path);
	d->streaming = true;
	d->stream_started_us = clock_mono_us();
	docker_http_stream(d->http, full, on_event_piece, on_events_end, d);
}

/* ---- Is it there? ---- */

/* A single slow answer of a busy engine that still sends events is not an outage. */
static bool may_be_busy(const struct docker *d, bool refused)
{
	return docker_is_heard(d) && !refused && d->failures < FAILURES_TO_DOWN;
}

static void probe_failed(struct docker *d, const char *why, bool refused)
{
	d->probing = false;
	snprintf(d->problem, sizeof(d->problem), "Docker Engine does not answer at %s: %s", d->conf->docker_socket, why);
	d->failures++;
	probe_after(d, d->retry_ms);
	d->retry_ms = MIN(d->retry_ms * 2, RETRY_MOST_MS);
	if (d->health == DOWN || may_be_busy(d, refused))
		return;
	d->health = DOWN;
	d->events.down(d->events.arg);
}

/* Picks the API version: ours if the engine supports it, otherwise the nearest one. */
static int negotiate(struct docker *d, const json_t *answer)
{
	const char *highest = json_string_value(json_object_get(answer, "ApiVersion"));
	const char *lowest = json_string_value(json_object_get(answer, "MinAPIVersion"));
	const char *engine = json_string_value(json_object_get(answer, "Version"));
	int high, low = 0;

	if (highest == NULL || sscanf(highest, "1.%d", &high) != 1)
		return -1;
	if (lowest != NULL)
		sscanf(lowest, "1.%d", &low);
	snprintf(d->prefix, sizeof(d->prefix), "/v1.%d", MAX(MIN(API_MINOR, high), low));
	snprintf(d->version, sizeof(d->version), "%s", engine ? engine : "");
	return 0;
}

static void probe_succeeded(struct docker *d)
{
	d->probing = false;
	d->failures = 0;
	d->retry_ms = RETRY_FIRST_MS;
	d->problem[0] = '\0';
	probe_after(d, PROBE_PERIOD_MS);
	bool missed_something = d->health != UP || !d->streaming;
	d->health = UP;
	if (!d->streaming)
		stream_events(d);
	if (missed_something)
		d->events.up(d->events.arg);
}

/* {"Runtimes": {"runc": {…}, …}, …} */
static void on_info(const struct docker_answer *a, void *arg)
{
	struct docker *d = arg;
	AUTO(json_decrefp) json_t *json = a->status == 200 ? json_loadb(a->body, a->len, 0, NULL) : NULL;
	json_t *runtimes = json_object_get(json, "Runtimes");

	if (!json_is_object(runtimes)) {
		probe_failed(d, a->status == 0 ? a->error : "it does not answer /info as Docker Engine does", a->refused);
		return;
	}
	json_decref(d->runtimes);
	d->runtimes = json_incref(runtimes);
	d->probes_to_info = PROBES_PER_INFO;
	probe_succeeded(d);
}

/* {"Components": [{"Name": "containerd", …}, …], …} */
static bool has_containerd(const json_t *version)
{
	json_t *components = json_object_get(version, "Components"), *component;
	size_t i;

	json_array_foreach (components, i, component) {
		const char *name = json_string_value(json_object_get(component, "Name"));
		if (name != NULL && strcmp(name, "containerd") == 0)
			return true;
	}
	return false;
}

static void on_probe(const struct docker_answer *a, void *arg)
{
	struct docker *d = arg;
	AUTO(json_decrefp) json_t *json = a->status == 200 ? json_loadb(a->body, a->len, 0, NULL) : NULL;

	if (json == NULL || negotiate(d, json) < 0) {
		d->containerd &= !a->refused; /* the next engine may be a different one */
		probe_failed(d, a->status == 0 ? a->error : "it does not answer /version as Docker Engine does", a->refused);
		return;
	}
	/*
	 * Without containerd the engine can neither start nor end a container, and containers that it removes leave something
	 * behind forever.
	 */
	bool lost_containerd = d->containerd && !has_containerd(json);
	d->containerd = d->containerd || has_containerd(json);
	if (lost_containerd) {
		probe_failed(d, "containerd has ended and is not back yet", true);
		return;
	}
	if (d->health == UP && --d->probes_to_info > 0) {
		probe_succeeded(d);
		return;
	}
	AUTO(mem_free) char *path = mem_printf("%s/info", d->prefix);
	docker_http_send(d->http, "GET", path, NULL, PROBE_TIMEOUT_MS, on_info, d);
}

static void on_timer(uv_timer_t *timer)
{
	struct docker *d = timer->data;

	if (d->probing)
		return;
	d->probing = true;
	d->probed_us = clock_mono_us();
	docker_http_knock(d->http, "/version", PROBE_TIMEOUT_MS, on_probe, d);
}

int docker_new(uv_loop_t *loop, const struct conf *conf, const struct docker_events *events, struct docker **docker,
	       struct err *err)
{
	struct docker *d = mem_alloc(sizeof(*d));

	if (docker_http_new(loop, conf->docker_socket, &d->http, err) < 0) {
		free(d);
		return -1;
	}
	d->conf = conf;
	d->events = *events;
	d->retry_ms = RETRY_FIRST_MS;
	snprintf(d->problem, sizeof(d->problem), "Docker Engine was not asked yet");
	d->timer = mem_alloc(sizeof(*d->timer));
	uv_timer_init(loop, d->timer);
	d->timer->data = d;
	probe_after(d, 0);
	*docker = d;
	return 0;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

void docker_free(struct docker **docker)
{
	if (*docker == NULL)
		return;
	docker_http_free(&(*docker)->http);
	json_decref((*docker)->runtimes);
	uv_close((uv_handle_t *)(*docker)->timer, free_handle);
	buf_free(&(*docker)->line);
	mem_free(docker);
}

void docker_set_conf(struct docker *d, const struct conf *conf)
{
	d->conf = conf;
}

bool docker_is_up(const struct docker *d)
{
	return d->health == UP;
}

bool docker_is_heard(const struct docker *d)
{
	return d->health == UP && d->streaming;
}

void docker_doubt(struct docker *d)
{
	probe_within(d, MAX(0, DOUBT_MS - (clock_mono_us() - d->probed_us) / 1000));
}

bool docker_is_unknown(const struct docker *d)
{
	return d->health == UNKNOWN;
}

bool docker_offers(const struct docker *d, const char *runtime)
{
	return json_object_get(d->runtimes, runtime) != NULL;
}

const char *docker_problem(const struct docker *d)
{
	return d->problem;
}

int64_t docker_retry_ms(const struct docker *d)
{
	return d->retry_ms;
}

const char *docker_version(const struct docker *d)
{
	return d->version;
}
