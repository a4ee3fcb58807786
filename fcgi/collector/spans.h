/*
 * Writes an invocation as spans, in the JSON of OTLP (https://opentelemetry.io/docs/specs/otlp/): one span for the whole, with
 * children for waiting, loading and running as far as these happened. Pure.
 */
#ifndef COLLECTOR_SPANS_H
#define COLLECTOR_SPANS_H

#include "base/buf.h"
#include "ipc/record.h"

/* Appends the invocation's spans as objects separated by commas. Returns their number. */
int spans_add(struct buf *spans, const struct record *record);

/* Writes the body of an ExportTraceServiceRequest: spans are made by spans_add, node is the machine's name. */
void spans_request(struct buf *body, const char *node, const struct buf *spans);

#endif
