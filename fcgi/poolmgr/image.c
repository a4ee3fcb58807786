#include "poolmgr/image.h"

#include <errno.h>
#include <utlist.h>

#include "base/log.h"
#include "poolmgr/shape.h"

static struct docker *docker;
static const struct language *languages;
static json_t *images; /* language → whether its image is there */

static void on_checked(const struct err *err, void *arg)
{
	const struct language *l = arg;
	bool was_missing = image_is_missing(l);
	char text[LANGUAGE_TEXT_SIZE];

	if (err != NULL && err->code != ENOENT) /* an answer about something else */
		return;
	json_object_set_new(images, l->name, json_boolean(err == NULL));
	if (err != NULL && !was_missing)
		log_warn("%s", language_missing_text(l, text));
	if (err == NULL && was_missing) {
		log_info("the image of %s is there", l->name);
		shape_retry_all();
	}
}

void image_check(const struct language *language)
{
	docker_check_image(docker, language->image, on_checked, (void *)language);
}

void image_check_all(void)
{
	const struct language *l;

	LL_FOREACH (languages, l)
		image_check(l);
}

bool image_all_known(void)
{
	const struct language *l;

	LL_FOREACH (languages, l)
		if (json_object_get(images, l->name) == NULL)
			return false;
	return true;
}

bool image_is_missing(const struct language *language)
{
	return json_is_false(json_object_get(images, language->name));
}

json_t *image_json(void)
{
	return json_incref(images);
}

void image_init(struct docker *d, const struct language *list)
{
	docker = d;
	languages = list;
	json_decref(images);
	images = json_object();
}
