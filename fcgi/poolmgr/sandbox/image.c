#include "poolmgr/sandbox/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/catalog/shape.h"

/* The state of one version's image. */
struct image {
	const struct language_version *version;
	enum { UNKNOWN, MISSING, THERE } state;
	char id[DOCKER_IMAGE_ID_SIZE]; /* id of the latest image that existed; "" when there was none yet */
	struct image *next;
};

static struct docker *docker;
static struct image_hooks hooks;
static struct image *images; /* one for each version of each language, in the same order */

static struct image *find(const struct language_version *version)
{
	struct image *i;

	LL_SEARCH_SCALAR(images, i, version, version);
	return i;
}

static bool is_wanted(const struct language_version *version)
{
	return version == version->language->default_version;
}

static void learn_id(struct image *i, const char *id)
{
	char before[DOCKER_IMAGE_ID_SIZE];

	if (id[0] == '\0' || strlen(id) >= sizeof(i->id) || strcmp(i->id, id) == 0)
		return;
	memcpy(before, i->id, sizeof(before));
	snprintf(i->id, sizeof(i->id), "%s", id);
	if (before[0] == '\0') {
		hooks.known(i->version);
		return;
	}
	log_info("the image of %s is another one, %s: its sandboxes are replaced", i->version->label, id);
	hooks.replaced();
}

static void on_checked(const struct err *err, const char *id, void *arg)
{
	struct image *i = find(arg);
	bool was_missing = i->state == MISSING, was_there = i->state == THERE;
	char text[LANGUAGE_TEXT_SIZE];

	if (err != NULL && err->code != ENOENT) /* the answer is about another name */
		return;
	i->state = err == NULL ? THERE : MISSING;
	if (err == NULL)
		learn_id(i, id);
	if (err != NULL && !was_missing && (was_there || is_wanted(i->version)))
		log_warn("%s", language_missing_text(i->version, text));
	if (err == NULL && was_missing) {
		log_info("the image of %s is there", i->version->label);
		shape_retry_all();
	}
}

void image_check(const struct language_version *version)
{
	docker_check_image(docker, version->image, on_checked, (void *)version);
}

void image_check_all(void)
{
	const struct image *i;

	LL_FOREACH (images, i)
		image_check(i->version);
}

bool image_all_known(void)
{
	const struct image *i;

	LL_FOREACH (images, i)
		if (i->state == UNKNOWN)
			return false;
	return true;
}

bool image_is_missing(const struct language_version *version)
{
	const struct image *i = find(version);

	return i != NULL && i->state == MISSING;
}

const char *image_of(const struct language_version *version)
{
	const struct image *i = find(version);

	return i != NULL ? i->id : "";
}

json_t *image_json(void)
{
	json_t *json = json_object();
	const struct image *i;

	LL_FOREACH (images, i)
		if (i->state != UNKNOWN && is_wanted(i->version))
			json_object_set_new(json, i->version->label, json_boolean(i->state == THERE));
	return json;
}

void image_init(struct docker *d, const struct language *languages, const struct image_hooks *h)
{
	const struct language_version *v;
	const struct language *l;
	struct image *i, *next;

	docker = d;
	hooks = *h;
	LL_FOREACH_SAFE (images, i, next)
		free(i);
	images = NULL;
	LL_FOREACH (languages, l)
		LL_FOREACH (l->versions, v) {
			i = mem_alloc(sizeof(*i));
			i->version = v;
			LL_APPEND(images, i);
		}
}
