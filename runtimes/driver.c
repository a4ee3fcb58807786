#include "runtimes/driver.h"

#include <string.h>

#include "base/defs.h"

extern const struct driver docker_driver, gvisor_driver;

const struct driver *const drivers[] = {&docker_driver, &gvisor_driver};
const size_t driver_count = ARRAY_SIZE(drivers);

const struct driver *driver_find(const char *name)
{
	for (size_t i = 0; i < driver_count; i++)
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	return NULL;
}
