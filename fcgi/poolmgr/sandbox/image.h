/*
 * Which images Docker Engine has, one for each version of a language, as last seen, and which image each name refers to; a
 * rebuild changes that. Those of the default versions are wanted: an installation should have them. The others are made when
 * somebody needs them.
 */
#ifndef POOLMGR_SANDBOX_IMAGE_H
#define POOLMGR_SANDBOX_IMAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "conf/language.h"
#include "engine/docker.h"

struct image_hooks {
	/* It is known for the first time which image the version's name refers to. */
	void (*known)(const struct language_version *version);
	void (*replaced)(void); /* a name refers to a different image now */
};

/* Borrows docker and languages for the life of the process. */
void image_init(struct docker *docker, const struct language *languages, const struct image_hooks *hooks);

/* Ask Docker again: about all images, or about one from which a sandbox could not be started. */
void image_check_all(void);
void image_check(const struct language_version *version);

/* Whether it is known for every version if its image exists. */
bool image_all_known(void);

/* False also while that is not known. */
bool image_is_missing(const struct language_version *version);

/*
 * The id of the image from which the next sandbox of a version will be made; "" when it is not known. Valid until it changes.
 */
const char *image_of(const struct language_version *version);

/* {"python-3.13": true, …}: whether each wanted image exists, without those of which this is not known. A new reference. */
json_t *image_json(void);

#endif
