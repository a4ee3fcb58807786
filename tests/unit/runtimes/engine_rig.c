#include "tests/unit/runtimes/engine_rig.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"

#define TURN_MS 2

struct rig rig;

static uv_timer_t timer;

static void on_timer(uv_timer_t *t)
{
	(void)t;
	if (rig.tick != NULL)
		rig.tick(clock_mono_us());
}

void rig_turn(void)
{
	uv_run(rig.loop, UV_RUN_ONCE);
}

/* ---- The driver's events ---- */

static void on_up(void *arg)
{
	(void)arg;
	rig.ups++;
	if (rig.pass_on.up != NULL)
		rig.pass_on.up(rig.pass_on.arg);
}

static void on_down(void *arg)
{
	(void)arg;
	rig.downs++;
	if (rig.pass_on.down != NULL)
		rig.pass_on.down(rig.pass_on.arg);
}

static void on_died(const char *sandbox_id, int exit_code, void *arg)
{
	(void)arg;
	rig.deaths++;
	rig.died_code = exit_code;
	snprintf(rig.died, sizeof(rig.died), "%s", sandbox_id);
	if (rig.pass_on.died != NULL)
		rig.pass_on.died(sandbox_id, exit_code, rig.pass_on.arg);
}

static void on_signalled(const char *sandbox_id, void *arg)
{
	(void)arg;
	rig.signals++;
	snprintf(rig.died, sizeof(rig.died), "%s", sandbox_id);
}

static const struct docker_events events = {on_up, on_down, on_died, on_signalled, NULL};

/* ---- Start and end ---- */

static void set_str(char **field, const char *fmt, const char *arg)
{
	free(*field);
	size_t size = strlen(fmt) + strlen(arg) + 1;
	*field = mem_alloc(size);
	const char *at = strstr(fmt, "%s");
	snprintf(*field, size, "%.*s%s%s", (int)(at - fmt), fmt, arg, at + 2);
}

/* Small and quick: tests raise what they are about. */
static void set_conf(struct conf *c)
{
	set_str(&c->master_state_dir, "%s", rig.dir);
	set_str(&c->master_instance, "%s", "unit");
	set_str(&c->docker_socket, "%s/docker.sock", rig.dir);
	set_str(&c->sandbox_default_runtime, "%s", "docker");
	set_str(&c->sandbox_runtimes_dir, "%s/runtimes", rig.dir);
	c->pool_min_spares = c->pool_max_spares = 0;
	c->docker_timeout_ms = 60000;
	c->pool_boot_timeout_ms = 600000;
}

static void add_version(struct language *l, const char *language, const char *name, const char *image)
{
	struct language_version *v = mem_alloc(sizeof(*v));

	v->language = l;
	v->name = mem_strdup(name);
	v->label = mem_printf("%s-%s", language, name);
	v->image = mem_strdup(image);
	v->end_of_life = mem_strdup("2100-12-31");
	LL_APPEND(l->versions, v);
}

static void add_language(const char *name, const char *image)
{
	struct language *l = mem_alloc(sizeof(*l));

	add_version(l, name, "1", image);
	l->default_version = l->versions;
	l->name = mem_strdup(name);
	l->command = json_pack("[s, s]", "interpreter", "/opt/berth/agent");
	l->source_file = mem_strdup("main.x");
	l->default_handler = mem_strdup("main.handler");
	l->min_memory_mb = 64;
	LL_APPEND(rig.languages, l);
}

static void make_dir(const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", rig.dir, name);

	assert_int_equal(mkdir(path, 0700), 0);
}

void rig_start(void)
{
	struct err err;

	log_init("test", LOG_WARN);
	rig.loop = uv_default_loop();
	rig.dir = unit_make_dir();
	make_dir("sandboxes");
	make_dir("cache");
	assert_ok(conf_load_file(NULL, &rig.conf, &err));
	set_conf(rig.conf);
	add_language("alpha", "alpha-image");
	add_language("beta", "beta-image");
	add_version(rig.languages->next, "beta", "2", "beta-2-image");
	rig.engine = fake_docker_new(rig.loop, rig.conf->docker_socket);
	uv_timer_init(rig.loop, &timer);
	uv_timer_start(&timer, on_timer, TURN_MS, TURN_MS);
	assert_ok(docker_new(rig.loop, rig.conf, &events, &rig.docker, &err));
	WAIT_FOR(docker_is_up(rig.docker) && fake_docker_streams(rig.engine) == 1);
}

/* Back to the defaults field by field: modules keep pointers to the configuration. */
static void reset_conf(void)
{
	struct conf *fresh;

	assert_int_equal(conf_load_file(NULL, &fresh, NULL), 0);
	set_conf(fresh);
#define CONF_INT(section, key, def, min, max, unit, when, text) rig.conf->section##_##key = fresh->section##_##key;
#define CONF_STR(section, key, def, when, text)
#include "conf/conf.def"
#undef CONF_INT
#undef CONF_STR
	conf_free(&fresh);
}

void rig_reset(void)
{
	fake_docker_reset(rig.engine);
	reset_conf();
	WAIT_FOR(docker_is_up(rig.docker) && fake_docker_streams(rig.engine) == 1);
	rig.ups = rig.downs = rig.deaths = 0;
	rig.died[0] = '\0';
	rig.signals = 0;
}

void rig_stop(void)
{
	docker_free(&rig.docker);
	fake_docker_free(&rig.engine);
	uv_close((uv_handle_t *)&timer, NULL);
	for (int i = 0; i < 10; i++) /* what was closed goes */
		uv_run(rig.loop, UV_RUN_NOWAIT);
	language_free(&rig.languages);
	conf_free(&rig.conf);
	unit_remove_dir(&rig.dir);
}

int engine_rig_set_up(void **state)
{
	(void)state;
	rig_start();
	return 0;
}

int engine_rig_tear_down(void **state)
{
	(void)state;
	rig_stop();
	return 0;
}

int engine_rig_each(void **state)
{
	(void)state;
	rig_reset();
	return 0;
}

/* ---- Looking at things ---- */

static void on_container(const char *sandbox_id, const char *container_id, bool running, void *arg)
{
	(void)sandbox_id;
	(void)container_id;
	(void)running;
	(void)arg;
}

static void on_listed(const struct err *err, void *arg)
{
	assert_null(err);
	*(bool *)arg = true;
}

void rig_barrier(void)
{
	bool done = false;

	docker_list(rig.docker, on_container, on_listed, &done);
	WAIT_FOR(done);
}

/* Whether the descriptor belongs to the fake engine: one end of a connection, whose other end may be closed, or the listening
 * socket. */
static bool is_engines(int fd)
{
	int (*const ends[])(int, struct sockaddr *, socklen_t *) = {getsockname, getpeername};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct sockaddr_un address = {0};
		socklen_t len = sizeof(address) - 1;
		if (ends[i](fd, (struct sockaddr *)&address, &len) == 0 && address.sun_family == AF_UNIX &&
		    strcmp(address.sun_path, rig.conf->docker_socket) == 0)
			return true;
	}
	return false;
}

int rig_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		count += e->d_name[0] != '.' && !is_engines(atoi(e->d_name));
	closedir(dir);
	return count;
}

bool rig_exists(const char *fmt, ...)
{
	char name[256];
	struct stat st;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	AUTO(mem_free) char *path = mem_printf("%s/%s", rig.dir, name);
	return lstat(path, &st) == 0;
}

int rig_count_names(const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", rig.dir, name);
	DIR *dir = opendir(path);
	int count = -2; /* "." and ".." */

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}
