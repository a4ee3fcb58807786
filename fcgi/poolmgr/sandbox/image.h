/* Which languages' images Docker Engine has, as last seen, and which image stands behind each name: after a rebuild another
 * one. */
#ifndef POOLMGR_SANDBOX_IMAGE_H
#define POOLMGR_SANDBOX_IMAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "conf/language.h"
#include "engine/docker.h"

struct image_hooks {
	void (*known)(const struct language *language); /* for the first time, which one stands behind its name */
	void (*replaced)(void);                         /* behind some name there is another one now */
};

/* Borrows docker and languages for the life of the process. */
void image_init(struct docker *docker, const struct language *languages, const struct image_hooks *hooks);

/* Asks Docker again: for all of them, or for one that a sandbox could not be started from. */
void image_check_all(void);
void image_check(const struct language *language);

/* Of all languages it is known whether theirs is there. */
bool image_all_known(void);

/* False also while that is not known. */
bool image_is_missing(const struct language *language);

/* The id of what the next sandbox of a language will be made of, as far as is known; "" when it is not. Good until it is
 * another one. */
const char *image_of(const struct language *language);

/* {"python": true, …}: whether it is there; without those it is not known of. A new reference. */
json_t *image_json(void);

#endif
