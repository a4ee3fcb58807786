/* The state of the collector, shared by its files. */
#ifndef COLLECTOR_COLLECTOR_H
#define COLLECTOR_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/certificate.h"
#include "collector/exporter.h"
#include "collector/sample.h"
#include "collector/spool_dir.h"
#include "collector/spool_reader.h"
#include "conf/conf.h"
#include "db/db.h"
#include "ipc/scoreboard.h"

struct collector {
	const struct conf *conf;
	struct conf *reloaded; /* the configuration read at the latest SIGHUP; owned */
	struct db *db;
	struct spool *spool;
	struct spool_batch batch;
	struct sampler sampler;
	struct exporter *exporter; /* NULL: spans are not sent */
	struct certificate_watch certificate;
	size_t batch_limit; /* collector.batch_bytes, or less while PostgreSQL is too slow for it */
	struct scoreboard *board;
	struct slot *slot;
	int signal_fd;
	bool waits; /* waits for another collector to end; that was logged */
	bool offsets_known;
	bool stopping;
	int64_t partitions_at_us; /* when to make partitions next; monotonic */
	int failing;              /* err.code of the failure that was logged; -1: there is none */
};

/* For the scoreboard. */
static inline void collector_set_state(struct collector *c, enum slot_state state)
{
	atomic_store(&c->slot->state, c->stopping ? SLOT_STOPPING : state);
}

#endif
