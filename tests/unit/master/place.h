/* Directories below a temporary one, and a configuration that names them. */
#ifndef UNIT_MASTER_PLACE_H
#define UNIT_MASTER_PLACE_H

#include "conf/conf.h"
#include "master/resources/identity.h"
#include "tests/unit/unit.h"

struct place {
	char *dir, *run_dir, *state_dir;
	struct conf *conf;
	struct identity id; /* nobody to switch to: what is made belongs to us */
};

struct place place_make(void);
void place_free(struct place *place); /* destructor for AUTO */

#endif
