#include "poolmgr/catalog/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"

#define RETRY_FIRST_US 200000
#define RETRY_MOST_US  5000000 /* so that the end of the cause is noticed within seconds */

#define START_US 300000 /* assumed until it is known */

struct shape *shapes;

static const struct conf *conf;
static const struct language *languages;

static struct shape *find(const struct shape_key *key)
{
	struct shape *s;

	DL_FOREACH (shapes, s)
		if (memcmp(&s->key, key, sizeof(*key)) == 0)
			return s;
	return NULL;
}

static struct shape *find_or_make(const struct shape_key *key)
{
	struct shape *s = find(key);

	if (s != NULL)
		return s;
	s = mem_alloc(sizeof(*s));
	memcpy(&s->key, key, sizeof(*key)); /* zeroed with its padding, which find() compares */
	s->start_us = START_US;
	s->name = mem_printf("%s/%s/%lldMB/%lldm/%lldMB/%lldi/%lldp/%lldf%s", key->driver->name, key->language_version->label,
			     (long long)key->memory_mb, (long long)key->cpu_millis, (long long)key->tmp_mb,
			     (long long)key->tmp_inodes, (long long)key->pids, (long long)key->nofile,
			     key->egress ? "/egress" : "");
	DL_APPEND(shapes, s);
	return s;
}

static struct shape *default_shape(const struct driver *driver, const struct language *language)
{
	struct shape_key key;

	memset(&key, 0, sizeof(key)); /* compared as memory */
	key.driver = driver;
	key.language_version = language->default_version;
	key.memory_mb = MAX(MAX(conf->limits_memory_default_mb, language->min_memory_mb), driver->least_memory_mb);
	key.cpu_millis = 1000;
	key.tmp_mb = conf->limits_tmp_default_mb;
	key.tmp_inodes = conf->limits_tmp_inodes_default;
	key.pids = conf->limits_pids_default;
	key.nofile = conf->limits_nofile_default;
	return find_or_make(&key);
}

void shape_set_conf(const struct conf *c)
{
	const struct driver *driver = driver_find(c->sandbox_default_runtime);
	const struct language *l;
	struct shape *s;

	conf = c;
	DL_FOREACH (shapes, s)
		s->always = false;
	if (driver == NULL) /* cannot fail, because the master has checked the setting */
		return;
	LL_FOREACH (languages, l)
		default_shape(driver, l)->always = true;
}

void shape_init(const struct conf *c, const struct language *list)
{
	languages = list;
	shape_set_conf(c);
}

int shape_for(const struct spec *spec, struct shape **shape, struct err *err)
{
	const struct language *language = language_find(languages, spec->language);
	struct shape_key key;

	memset(&key, 0, sizeof(key));
	key.driver = driver_find(spec->runtime);
	if (language == NULL)
		return err_set(err, ENOENT, "there is no language '%s' on this node", spec->language);
	key.language_version = language_version_find(language, spec->language_version);
	if (key.language_version == NULL)
		return err_set(err, ENOENT, "there is no version '%s' of %s on this node", spec->language_version,
			       language->name);
	if (key.driver == NULL)
		return err_set(err, ENOENT, "there is no runtime '%s' on this node", spec->runtime);
	key.memory_mb = spec->memory_limit_mb;
	key.cpu_millis = spec->cpu_millis;
	key.tmp_mb = spec->tmp_mb;
	key.tmp_inodes = spec->tmp_inodes;
	key.pids = spec->pids;
	key.nofile = spec->nofile;
	key.egress = strcmp(spec->network, "egress") == 0;
	*shape = find_or_make(&key);
	(*shape)->used_us = clock_mono_us();
	return 0;
}

static int64_t half_life_us(void)
{
	return conf->pool_demand_half_life_ms * 1000;
}

int64_t shape_memory_mb(const struct shape *s)
{
	return s->key.memory_mb + s->key.driver->own_memory_mb + s->key.language_version->language->own_memory_mb;
}

/* Twice the duration of a start, because concurrent starts in a burst take longer. */
void shape_needed(struct shape *s, int64_t now_us)
{
	forecast_needed(&s->forecast, now_us, 2 * s->start_us, half_life_us());
}

int shape_spares_wanted(const struct shape *s, int64_t now_us)
{
	int expected = forecast_most(&s->forecast, now_us, half_life_us());

	if (!s->always && now_us - s->used_us >= conf->pool_idle_timeout_ms * 1000)
		return 0;
	return MAX((int)conf->pool_min_spares, MIN(expected, (int)conf->pool_max_spares));
}

void shape_learn_start_time(struct shape *s, int64_t took_us)
{
	s->start_us += (took_us - s->start_us) / 4;
}

void shape_start_failed(struct shape *s, const char *why, int64_t now_us)
{
	int64_t pause_us = RETRY_FIRST_US << MIN(s->failures, 10);

	s->failures++;
	s->failed_us = now_us;
	s->retry_us = now_us + MIN(pause_us, RETRY_MOST_US);
	snprintf(s->problem, sizeof(s->problem), "%s", why);
}

void shape_start_succeeded(struct shape *s)
{
	s->failures = 0;
	s->retry_us = 0;
	s->problem[0] = '\0';
}

void shape_retry_all(void)
{
	struct shape *s;

	DL_FOREACH (shapes, s)
		shape_start_succeeded(s);
}

void shape_forget_if_unused(struct shape *s, int64_t now_us)
{
	bool unused = s->users == 0 && shape_spares_wanted(s, now_us) == 0;

	if (s->always || !unused)
		return;
	DL_DELETE(shapes, s);
	free(s->name);
	free(s);
}
