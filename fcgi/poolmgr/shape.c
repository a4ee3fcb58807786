#include "poolmgr/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"

#define RETRY_FIRST_US 200000
#define RETRY_MOST_US  30000000

struct shape *shapes;

static const struct conf *conf;
static const struct language *languages;

static struct shape *find(const char *runtime, const struct language *language, int64_t memory_mb, int64_t cpu_millis,
			  int64_t tmp_mb)
{
	struct shape *s;

	DL_FOREACH (shapes, s)
		if (s->language == language && s->memory_mb == memory_mb && s->cpu_millis == cpu_millis &&
		    s->tmp_mb == tmp_mb && strcmp(s->runtime, runtime) == 0)
			return s;
	return NULL;
}

static struct shape *find_or_make(const char *runtime, const struct language *language, int64_t memory_mb, int64_t cpu_millis,
				  int64_t tmp_mb)
{
	struct shape *s = find(runtime, language, memory_mb, cpu_millis, tmp_mb);

	if (s != NULL)
		return s;
	s = mem_alloc(sizeof(*s));
	s->runtime = mem_strdup(runtime);
	s->language = language;
	s->memory_mb = memory_mb;
	s->cpu_millis = cpu_millis;
	s->tmp_mb = tmp_mb;
	s->name = mem_printf("%s/%s/%lldMB/%lldm/%lldMB", runtime, language->name, (long long)memory_mb, (long long)cpu_millis,
			     (long long)tmp_mb);
	DL_APPEND(shapes, s);
	return s;
}

void shape_init(const struct conf *c, const struct language *list)
{
	const struct language *l;

	conf = c;
	languages = list;
	LL_FOREACH (languages, l) {
		int64_t memory_mb = MAX(conf->limits_memory_default_mb, l->min_memory_mb);
		find_or_make("docker", l, memory_mb, 1000, conf->limits_tmp_default_mb)->always = true;
	}
}

void shape_set_conf(const struct conf *c)
{
	conf = c;
}

int shape_for(const struct spec *spec, struct shape **shape, struct err *err)
{
	const struct language *l = language_find(languages, spec->language);

	if (l == NULL)
		return err_set(err, ENOENT, "there is no language '%s' on this node", spec->language);
	*shape = find_or_make(spec->runtime, l, spec->memory_limit_mb, spec->cpu_millis, spec->tmp_mb);
	(*shape)->used_us = clock_mono_us();
	return 0;
}

int shape_spares_wanted(const struct shape *s, int64_t now_us)
{
	if (s->always || now_us - s->used_us < conf->pool_idle_timeout_ms * 1000)
		return (int)conf->pool_spares;
	return 0;
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

void shape_forget_if_unused(struct shape *s, int64_t now_us)
{
	bool unused = s->users == 0 && shape_spares_wanted(s, now_us) == 0;

	if (s->always || !unused)
		return;
	DL_DELETE(shapes, s);
	free(s->name);
	free(s->runtime);
	free(s);
}
