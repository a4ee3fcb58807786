/*
 * Sends spans to an OpenTelemetry collector (OTLP over HTTP, JSON), when the settings [tracing] name one: in batches, one at a
 * time, while the collector goes on with its work. A batch that cannot be sent is tried again for a while. The collector never
 * waits for it: when too many spans wait, new ones are dropped and counted.
 */
#ifndef COLLECTOR_EXPORTER_H
#define COLLECTOR_EXPORTER_H

#include <poll.h>

#include "collector/spool_reader.h"
#include "conf/conf.h"

struct exporter;

/* node is borrowed. Returns NULL when tracing.endpoint is empty; all functions accept NULL. */
struct exporter *exporter_new(const struct conf *conf, const char *node);

/* Destructor. Spans that have not been sent are lost, which is logged. */
void exporter_free(struct exporter **exporter);

/* Adds the records of a stored batch, except those whose trace is not sampled. */
void exporter_take(struct exporter *exporter, const struct spool_batch *batch);

/* Begins, continues and ends requests. Does not wait. */
void exporter_work(struct exporter *exporter);

/* As poll(2), but wakes up for the exporter, too. */
int exporter_poll(struct exporter *exporter, struct pollfd *fds, unsigned count, int timeout_ms);

/* To be called before the end: sends the waiting spans, for a limited time. */
void exporter_flush(struct exporter *exporter);

#endif
