/*
 * openapi-document FILE…: prints the description of the API (OpenAPI 3.1), which it makes from the files, written by hand, and
 * the tables of the code. make runs it. Its exit code is 1, and it prints the faults, if a part of the API is not described, or
 * if a described part does not exist.
 */
#include <stdio.h>
#include <stdlib.h>

#include "openapi/openapi.h"

int main(int argc, char **argv)
{
	AUTO(document_clear) struct document d = {0};
	json_t *fault;
	struct operations_table tables[OPENAPI_SERVICES];
	struct err err;
	size_t i;

	document_init(&d);
	for (int k = 1; k < argc; k++) {
		if (document_add(&d, argv[k], &err) < 0) {
			fprintf(stderr, "%s\n", err.msg);
			return EXIT_FAILURE;
		}
	}
	openapi_routes(tables);
	openapi_complete(&d, tables, OPENAPI_SERVICES);
	json_array_foreach (d.faults, i, fault)
		fprintf(stderr, "The description of the API (fcgi/openapi/): %s\n", json_string_value(fault));
	if (json_array_size(d.faults) > 0 || json_dumpf(d.root, stdout, JSON_INDENT(1)) < 0 || puts("") == EOF ||
	    fflush(stdout) == EOF)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
