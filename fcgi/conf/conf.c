#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define RANGE_TEXT_SIZE 80

enum type { INT, STR };
enum when { RELOAD, RESTART };

struct setting {
	const char *section, *key;
	enum type type;
	size_t offset; /* in struct conf */
	int64_t def_int, min, max;
	const char *def_str;
	const char *unit;
	enum when when;
	const char *text;
};

static const struct setting settings[] = {
#define CONF_INT(s, k, d, lo, hi, u, w, t)                                                                                     \
	{.section = #s,                                                                                                        \
	 .key = #k,                                                                                                            \
	 .type = INT,                                                                                                          \
	 .offset = offsetof(struct conf, s##_##k),                                                                             \
	 .def_int = d,                                                                                                         \
	 .min = lo,                                                                                                            \
	 .max = hi,                                                                                                            \
	 .unit = u,                                                                                                            \
	 .when = w,                                                                                                            \
	 .text = t},
#define CONF_STR(s, k, d, w, t)                                                                                                \
	{.section = #s, .key = #k, .type = STR, .offset = offsetof(struct conf, s##_##k), .def_str = d, .when = w, .text = t},
#include "conf/conf.def"
#undef CONF_INT
#undef CONF_STR
};

static int64_t *int_field(const struct conf *c, const struct setting *s)
{
	return (int64_t *)((char *)c + s->offset);
}

static char **str_field(const struct conf *c, const struct setting *s)
{
	return (char **)((char *)c + s->offset);
}

static struct conf *conf_new_defaults(void)
{
	struct conf *c = mem_alloc(sizeof(*c));

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];
		if (s->type == INT)
			*int_field(c, s) = s->def_int;
		else
			*str_field(c, s) = mem_strdup(s->def_str);
	}
	return c;
}

void conf_free(struct conf **conf)
{
	if (*conf == NULL)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i].type == STR)
			free(*str_field(*conf, &settings[i]));
	mem_free(conf);
}

static const struct setting *find_setting(const char *section, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
			return &settings[i];
	return NULL;
}

/* "100 to 900000 ms", or "0 or 1" of a switch. */
static const char *range_text(const struct setting *s, char *out, size_t size)
{
	bool is_switch = s->max - s->min == 1;

	snprintf(out, size, "%lld %s %lld%s%s", (long long)s->min, is_switch ? "or" : "to", (long long)s->max,
		 s->unit[0] ? " " : "", s->unit);
	return out;
}

static int set_int(struct conf *c, const struct setting *s, const char *value, struct err *err)
{
	char *end, range[RANGE_TEXT_SIZE];

	errno = 0;
	long long v = strtoll(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0')
		return err_set(err, 0, "%s.%s = '%.60s' is not a whole number", s->section, s->key, value);
	if (v < s->min || v > s->max)
		return err_set(err, 0, "%s.%s = %lld is invalid: it must be %s", s->section, s->key, v,
			       range_text(s, range, sizeof(range)));
	*int_field(c, s) = v;
	return 0;
}

static void replace_str(struct conf *c, const struct setting *s, const char *value)
{
	char **field = str_field(c, s);

	free(*field);
	*field = mem_strdup(value);
}

/* The line that conf_dump writes for the value must be readable again. */
static int set_str(struct conf *c, const struct setting *s, const char *value, struct err *err)
{
	size_t max = INI_MAX_LINE - sizeof(" = \n") - strlen(s->key);

	if (strlen(value) > max)
		return err_set(err, 0, "%s.%s is longer than %zu bytes", s->section, s->key, max);
	replace_str(c, s, value);
	return 0;
}

struct loading {
	struct conf *conf;
	FILE *in;
	int line; /* counts up to the first error */
	struct err *err;
};

/*
 * Reads lines for inih. It refuses two things that inih would silently misread: a line that is too long, whose end inih takes
 * for another line, and an indented line, which inih takes for a new value of the previous setting.
 */
static char *read_line(char *line, int size, void *user)
{
	struct loading *l = user;
	char *got = fgets(line, size, l->in);

	if (got == NULL || l->err->msg[0] != '\0')
		return got;
	l->line++;
	if (strchr(line, '\n') == NULL && !feof(l->in))
		err_set(l->err, 0, "longer than %d characters", size - 2);
	else if (isspace((unsigned char)line[0]) && strchr(";#[", line[strspn(line, " \t\r\n")]) == NULL)
		err_set(l->err, 0, "a setting must not be indented");
	return got;
}

/* inih's handler; returns 1 for success. inih continues after a bad line; the first bad line is reported. */
static int on_setting(void *user, const char *section, const char *key, const char *value)
{
	struct loading *l = user;
	const struct setting *s = find_setting(section, key);

	if (l->err->msg[0] != '\0')
		return 0;
	if (s == NULL) {
		err_set(l->err, 0, "unknown setting [%.40s] %.40s", section, key);
		return 0;
	}
	return (s->type == INT ? set_int : set_str)(l->conf, s, value, l->err) == 0;
}

static int check_ordered(const struct conf *c, struct err *err)
{
	static const struct {
		size_t low, high; /* offsets; low <= high must hold */
		const char *text;
	} ordered[] = {
#define ORDERED(lo, hi) {offsetof(struct conf, lo), offsetof(struct conf, hi), #lo " is larger than " #hi}
		ORDERED(limits_timeout_default_ms, limits_timeout_max_ms),
		ORDERED(limits_init_timeout_default_ms, limits_init_timeout_max_ms),
		ORDERED(limits_memory_default_mb, limits_memory_max_mb),
		ORDERED(limits_tmp_default_mb, limits_tmp_max_mb),
		ORDERED(limits_tmp_inodes_default, limits_tmp_inodes_max),
		ORDERED(limits_pids_default, limits_pids_max),
		ORDERED(limits_nofile_default, limits_nofile_max),
		ORDERED(limits_log_default_bytes, limits_log_max_bytes),
		ORDERED(limits_concurrency_default, limits_concurrency_max),
		ORDERED(invoke_min_spare, invoke_max_workers),
		ORDERED(pool_max_sandboxes, sandbox_uid_count),
		ORDERED(pool_min_spares, pool_max_spares),
#undef ORDERED
	};

	for (size_t i = 0; i < ARRAY_SIZE(ordered); i++) {
		const int64_t *low = (const int64_t *)((const char *)c + ordered[i].low);
		const int64_t *high = (const int64_t *)((const char *)c + ordered[i].high);
		if (*low > *high)
			return err_set(err, 0, "%s", ordered[i].text);
	}
	return 0;
}

/* Paths must be absolute, because children work in "/", and the names of sockets must fit into an address. */
static int check_paths(const struct conf *c, struct err *err)
{
	const struct {
		const char *name, *path;
		size_t max;
	} paths[] = {
		{"master.state_dir", c->master_state_dir, 180},
		{"master.run_dir", c->master_run_dir, sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof("/control.sock")},
		{"docker.socket", c->docker_socket, sizeof(((struct sockaddr_un *)0)->sun_path) - 1},
		{"sandbox.runtimes_dir", c->sandbox_runtimes_dir, 180},
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (paths[i].path[0] != '/')
			return err_set(err, 0, "%s = '%.100s' is not an absolute path", paths[i].name, paths[i].path);
		if (strlen(paths[i].path) > paths[i].max)
			return err_set(err, 0, "%s is longer than %zu bytes", paths[i].name, paths[i].max);
	}
	return 0;
}

/* Both become part of an ARN, in which a colon separates the parts. */
static int check_lambda(const struct conf *c, struct err *err)
{
	const size_t region_max = 32, account_size = 12;
	size_t region_len = strlen(c->lambda_region);

	if (region_len == 0 || region_len > region_max ||
	    strspn(c->lambda_region, "abcdefghijklmnopqrstuvwxyz0123456789-") != region_len)
		return err_set(err, 0, "lambda.region = '%.40s' must have 1 to %zu characters of a-z 0-9 -", c->lambda_region,
			       region_max);
	if (strlen(c->lambda_account_id) != account_size || strspn(c->lambda_account_id, "0123456789") != account_size)
		return err_set(err, 0, "lambda.account_id = '%.40s' must be %zu digits", c->lambda_account_id, account_size);
	return 0;
}

/* Rules that involve several settings, or that a row of the table cannot express. */
static int check_together(const struct conf *c, struct err *err)
{
	static const char instance_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	static const char host_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-.*:[] ";

	if (check_ordered(c, err) < 0 || check_paths(c, err) < 0)
		return -1;
	if (log_level_parse(c->log_level) < 0)
		return err_set(err, 0, "log.level = '%.20s' must be one of:" LOG_LEVEL_WORDS, c->log_level);
	if (c->master_instance[0] == '\0' || strspn(c->master_instance, instance_chars) != strlen(c->master_instance))
		return err_set(err, 0, "master.instance = '%.40s' may contain only a-z 0-9 . _ -", c->master_instance);
	if (strspn(c->http_server_names, " ") == strlen(c->http_server_names) ||
	    strspn(c->http_server_names, host_chars) != strlen(c->http_server_names))
		return err_set(err, 0, "http.server_names = '%.60s' is not a list of lower-case host names",
			       c->http_server_names);
	return check_lambda(c, err);
}

static int load_stream(FILE *in, const char *name, struct conf **conf, struct err *err)
{
	AUTO(conf_free) struct conf *c = conf_new_defaults();
	struct err first = {0};
	struct loading l = {.conf = c, .in = in, .err = &first};

	int line = ini_parse_stream(read_line, &l, on_setting, &l);
	if (ferror(in))
		return err_set(err, errno, "read '%s'", name);
	if (first.msg[0] != '\0')
		return err_set(err, 0, "%s line %d: %s", name, l.line, first.msg);
	if (line > 0)
		return err_set(err, 0, "%s line %d: neither a [section] nor 'key = value'", name, line);
	if (line < 0)
		return err_set(err, 0, "%s cannot be read", name);
	if (check_together(c, err) < 0)
		return err_prefix(err, "%s", name);
	*conf = TAKE_PTR(c);
	return 0;
}

int conf_load_file(const char *path, struct conf **conf, struct err *err)
{
	if (path == NULL) {
		*conf = conf_new_defaults();
		return 0;
	}
	FILE *in = fopen(path, "re");
	if (in == NULL)
		return err_set(err, errno, "open '%s'", path);
	int rc = load_stream(in, path, conf, err);
	fclose(in);
	return rc;
}

int conf_load_fd(int fd, struct conf **conf, struct err *err)
{
	char path[32];

	/* Opened again so that every child has its own read position. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return conf_load_file(path, conf, err);
}

void conf_dump(const struct conf *conf, FILE *out)
{
	const char *section = "";
	char range[RANGE_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];
		if (strcmp(section, s->section) != 0)
			fprintf(out, "%s[%s]\n", i ? "\n" : "", s->section);
		section = s->section;
		fprintf(out, "; %s.\n", s->text);
		if (s->type == INT)
			fprintf(out, "; %s, default %lld, changes at %s\n%s = %lld\n", range_text(s, range, sizeof(range)),
				(long long)s->def_int, s->when == RELOAD ? "reload" : "restart", s->key,
				(long long)*int_field(conf, s));
		else
			fprintf(out, "; default '%.120s', changes at %s\n%s = %s\n", s->def_str,
				s->when == RELOAD ? "reload" : "restart", s->key, *str_field(conf, s));
	}
}

static bool same_value(const struct setting *s, const struct conf *a, const struct conf *b)
{
	if (s->type == INT)
		return *int_field(a, s) == *int_field(b, s);
	return strcmp(*str_field(a, s), *str_field(b, s)) == 0;
}

int conf_turns(const struct conf *conf)
{
	static long processors; /* kept, because sysconf(3) reads a file to find out */

	if (conf->invoke_turns > 0)
		return (int)conf->invoke_turns;
	if (processors == 0)
		processors = MAX(2, sysconf(_SC_NPROCESSORS_ONLN));
	return (int)(processors + processors / 2);
}

int64_t conf_memory_budget_mb(const struct conf *conf)
{
	int64_t machine_mb = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) >> 20;

	return conf->pool_memory_budget_mb > 0 ? conf->pool_memory_budget_mb : machine_mb / 4 * 3;
}

int64_t conf_warm_sandboxes(const struct conf *conf)
{
	return conf->pool_max_sandboxes * conf->pool_min_warm_percent / 100;
}

int64_t conf_warm_memory_mb(const struct conf *conf)
{
	return conf_memory_budget_mb(conf) * conf->pool_min_warm_percent / 100;
}

int conf_keep_restart(const struct conf *now, struct conf *next, struct buf *ignored, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];
		if (s->when != RESTART || same_value(s, now, next))
			continue;
		buf_printf(ignored, "%s%s.%s", ignored->len ? ", " : "", s->section, s->key);
		if (s->type == INT)
			*int_field(next, s) = *int_field(now, s);
		else
			replace_str(next, s, *str_field(now, s));
	}
	return check_together(next, err);
}
