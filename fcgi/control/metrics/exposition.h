/* Prometheus's text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). */
#ifndef CONTROL_METRICS_EXPOSITION_H
#define CONTROL_METRICS_EXPOSITION_H

#include "base/buf.h"

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Values may be any UTF-8 text. */
struct exposition_label {
	const char *name, *value;
};

/* Begins a family; its samples follow. */
void exposition_family(struct buf *text, const char *name, const char *type, const char *help);

/* labels: ends with one without a name. suffix: "", or for a histogram "_bucket", "_sum", "_count". */
void exposition_sample(struct buf *text, const char *family, const char *suffix, const struct exposition_label *labels,
		       double value);

#endif
