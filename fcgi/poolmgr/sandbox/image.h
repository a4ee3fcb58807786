/* Which languages' images Docker Engine has, as last seen, and which image each name refers to; a rebuild changes that. */
#ifndef POOLMGR_SANDBOX_IMAGE_H
#define POOLMGR_SANDBOX_IMAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "conf/language.h"
#include "engine/docker.h"

struct image_hooks {
	void (*known)(
		const struct language *language); /* it is known for the first time which image the language's name refers to */
	void (*replaced)(void);                   /* a name refers to a different image now */
};

/* Borrows docker and languages for the life of the process. */
void image_init(struct docker *docker, const struct language *languages, const struct image_hooks *hooks);

/* Ask Docker again: about all images, or about one from which a sandbox could not be started. */
void image_check_all(void);
void image_check(const struct language *language);

/* Whether it is known for every language if its image exists. */
bool image_all_known(void);

/* False also while that is not known. */
bool image_is_missing(const struct language *language);

/*
 * The id of the image from which the next sandbox of a language will be made; "" when it is not known. Valid until it changes.
 */
const char *image_of(const struct language *language);

/* {"python": true, …}: whether each image exists, without languages for which this is not known. A new reference. */
json_t *image_json(void);

#endif
