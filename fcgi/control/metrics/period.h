/* The period that a request asks for, in steps: ?from=&to=&step= of /metrics/…. */
#ifndef CONTROL_METRICS_PERIOD_H
#define CONTROL_METRICS_PERIOD_H

#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "db/rollup.h"
#include "http/request.h"

#define PERIOD_PARAMS      "from to step"
#define PERIOD_POINTS_AUTO 300
#define PERIOD_POINTS_MAX  2000

struct period {
	int64_t from_us, to_us; /* wall clock; multiples of the step since 1970 */
	int64_t step_us;
	enum rollup_span span; /* the table to read: the one with the longest rows that fit into a step */
};

/*
 * The default period is the last hour; the default step is a number of whole minutes that gives some PERIOD_POINTS_AUTO points
 * and for which rows are still kept. from is moved back, and to forward, to the beginning of a step. -1: err->msg says what is
 * wrong.
 */
int period_parse(const struct request *request, const struct conf *conf, int64_t now_us, struct period *period,
		 struct err *err);

int period_points(const struct period *period);

#endif
