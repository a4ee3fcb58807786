/*
 * Sends spans to an OpenTelemetry collector (OTLP over HTTP, JSON), when the settings [tracing] name one: in batches, one at a
 * time, while the collector goes on with its work. What cannot be sent is tried again for a while. Nobody waits for it: when
 * too many spans wait, new ones are dropped, and counted.
 */
#ifndef COLLECTOR_EXPORTER_H
#define COLLECTOR_EXPORTER_H

#include <poll.h>

#include "collector/spool_reader.h"
#include "conf/conf.h"

struct exporter;

/* node is borrowed. NULL when there is nowhere to send spans to; all functions accept NULL. */
struct exporter *exporter_new(const struct conf *conf, const char *node);

/* What has not been sent is lost, and that is logged. */
void exporter_free(struct exporter **exporter);

/* The records of a batch that is stored. Those whose trace nobody samples are left out. */
void exporter_take(struct exporter *exporter, const struct spool_batch *batch);

/* Begins, continues and ends what is to be sent. Does not wait. */
void exporter_work(struct exporter *exporter);

/* As poll(2), but wakes up for the exporter, too. */
int exporter_poll(struct exporter *exporter, struct pollfd *fds, unsigned count, int timeout_ms);

/* Before the end: has some time to send what waits. */
void exporter_flush(struct exporter *exporter);

#endif
