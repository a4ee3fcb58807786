/*
 * An invocation as spans, in the JSON of OTLP (https://opentelemetry.io/docs/specs/otlp/): one of the whole, whose children are
 * waiting, loading and running, as far as there was any. Pure.
 */
#ifndef COLLECTOR_SPANS_H
#define COLLECTOR_SPANS_H

#include "base/buf.h"
#include "ipc/record.h"

/* Appends the invocation's spans, objects separated by commas. Returns how many. */
int spans_add(struct buf *spans, const struct record *record);

/* The body of an ExportTraceServiceRequest: spans as spans_add has made them, of the machine called node. */
void spans_request(struct buf *body, const char *node, const struct buf *spans);

#endif
