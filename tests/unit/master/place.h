/* Directories below a temporary one, and a configuration that names them. */
#ifndef UNIT_MASTER_PLACE_H
#define UNIT_MASTER_PLACE_H

#include "conf/conf.h"
#include "master/resources/identity.h"
#include "tests/unit/unit.h"

struct place {
	char *dir, *run_dir, *state_dir;
	struct conf *conf;
	struct identity id; /* without a user to change to: what is made belongs to this process */
};

struct place place_make(void);
void place_free(struct place *place); /* destructor for AUTO */

#endif
