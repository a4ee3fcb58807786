#include "openapi/openapi.h"

#include "control/control.h"
#include "follow/follower.h"
#include "invoke/invoke.h"
#include "openapi/problem_schemas.h"
#include "openapi/table_schemas.h"

void openapi_routes(struct operations_table tables[OPENAPI_SERVICES])
{
	tables[0] = (struct operations_table){control_service.routes, control_service.route_count};
	tables[1] = (struct operations_table){invoke_service.routes, invoke_service.route_count};
	tables[2] = (struct operations_table){follower_routes, follower_route_count};
}

void openapi_complete(struct document *d, const struct operations_table *tables, size_t count)
{
	json_object_set_new(document_member(d->root, "info"), "version", json_string(PACKAGE_VERSION));
	problem_schemas_add(d);
	table_schemas_add(d);
	operations_add(d, tables, count);
	document_check(d);
}
