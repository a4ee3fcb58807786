/* The follower's part of the HTTP API. The process itself is follow_main (ipc/heritage.h). */
#ifndef FOLLOW_FOLLOW_H
#define FOLLOW_FOLLOW_H

#include <stddef.h>

#include "http/route.h"

extern const struct route follow_routes[];
extern const size_t follow_route_count;

#endif
