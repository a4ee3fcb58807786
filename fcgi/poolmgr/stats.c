#include "poolmgr/stats.h"

#include <jansson.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "poolmgr/client.h"
#include "poolmgr/keep.h"
#include "poolmgr/pool.h"
#include "poolmgr/sandbox.h"
#include "poolmgr/store.h"

static struct docker *docker;
static const struct language *languages;
static json_t *images; /* language → whether its image is there */

static void on_image_checked(const struct err *err, void *arg)
{
	const struct language *l = arg;
	const json_t *before = json_object_get(images, l->name);

	if (err != NULL && !json_is_false(before))
		log_warn("no image for %s: %s", l->name, err->msg);
	json_object_set_new(images, l->name, json_boolean(err == NULL));
}

void stats_check_images(void)
{
	const struct language *l;

	LL_FOREACH (languages, l)
		docker_check_image(docker, l->image, on_image_checked, (void *)l);
}

/* Text from outside, which may have been cut within a character. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	if (json != NULL)
		return json;
	AUTO(mem_free) char *ascii = mem_strdup(text);
	for (char *p = ascii; *p != '\0'; p++)
		if (*p < 0)
			*p = '?';
	return json_string(ascii);
}

static json_t *sandboxes_json(void)
{
	json_t *json = json_object();

	for (int i = 0; i < SANDBOX_GONE; i++)
		json_object_set_new(json, sandbox_state_name((enum sandbox_state)i), json_integer(sandbox_counts[i]));
	return json;
}

static json_t *runtimes_json(void)
{
	json_t *json = json_object();

	for (size_t i = 0; i < driver_count; i++) {
		bool offered = docker_offers(docker, drivers[i]);
		json_t *one = json_pack("{s:b, s:s}", "available", offered, "detail", offered ? "" : drivers[i]->missing);
		json_object_set_new(json, drivers[i]->name, one);
	}
	return json;
}

/*
 * There are as many shapes as users choose limits, each with a problem of up to half a kilobyte, but a message has its bound:
 * the rest of the reply gets a quarter of it.
 */
#define SHAPES_BYTES (IPC_MAX_SIZE / 4 * 3)

/* As many as fit; *left_out: how many did not. */
static json_t *shapes_json(int *left_out)
{
	json_t *list = json_array();
	const struct shape *s;
	size_t bytes = 0;

	*left_out = 0;
	DL_FOREACH (shapes, s) {
		json_t *shape = json_pack("{s:s, s:i, s:i, s:o}", "shape", s->name, "spare", s->spare_count, "starting",
					  s->starting, "problem", text_json(s->problem));
		bytes += json_dumpb(shape, NULL, 0, JSON_COMPACT) + strlen(",");
		if (bytes > SHAPES_BYTES)
			++*left_out;
		else
			json_array_append(list, shape);
		json_decref(shape);
	}
	return list;
}

char *stats_text_new(void)
{
	int left_out;
	json_t *list = shapes_json(&left_out);
	json_t *json = json_pack(
		"{s:{s:b, s:o, s:o}, s:o, s:b, s:{s:b, s:o}, s:O, s:o, s:o, s:i, s:o, s:i, s:i}", "docker", "ok",
		docker_is_up(docker), "detail", text_json(docker_problem(docker)), "version", text_json(docker_version(docker)),
		"runtimes", runtimes_json(), "egress", docker_has_egress(docker), "database", "ok", store_is_up(), "detail",
		text_json(store_problem()), "images", images, "sandboxes", sandboxes_json(), "shapes", list, "shapes_left_out",
		left_out, "min_warm", keep_json(), "waiting", pool_waiting(), "workers", client_count());
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

void stats_init(struct docker *d, const struct language *list)
{
	docker = d;
	languages = list;
	images = json_object();
}
