/* The query parameters of GET /functions/{id}/invocations and of GET /invocations. Pure. */
#ifndef CONTROL_INVOCATIONS_INVOCATION_QUERY_H
#define CONTROL_INVOCATIONS_INVOCATION_QUERY_H

#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "db/db_invocations.h"

struct request;

#define INVOCATION_QUERY_PARAMS                                                                                                \
	"status error_code version runtime start_kind slower_than_ms request_id from to text limit cursor"
#define INVOCATION_SEARCH_PARAMS "request_id from to limit cursor"

#define INVOCATION_LIMIT_DEFAULT 50
#define INVOCATION_LIMIT_MAX     200
#define INVOCATION_TEXT_MAX      256
#define INVOCATION_CURSOR_SIZE   64
#define INVOCATION_SEARCH_US     86400000000ll

/* Holds pointers into the request. */
struct invocation_query {
	struct invocation_filter
		filter; /* everything except function_id; its limit is one more, to see whether there is a next page */
	int64_t limit;
	int64_t to_us; /* -1: none given */
};

/* -1: err->msg says which parameter is wrong and which values it may have. */
int invocation_query_parse(const struct request *request, struct invocation_query *query, struct err *err);

/*
 * The same for a search among the invocations of all functions, which needs a request_id. The index of request ids leaves some
 * pages of each day to be read, so without `from` the search goes back INVOCATION_SEARCH_US only, from `to` or now.
 */
int invocation_query_parse_search(const struct request *request, int64_t now_us, struct invocation_query *query,
				  struct err *err);

/* Makes the cursor of the page after this invocation. at_us and id are text. */
void invocation_query_next(const char *at_us, const char *id, char cursor[INVOCATION_CURSOR_SIZE]);

#endif
