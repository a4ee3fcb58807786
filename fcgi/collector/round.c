#include "collector/round.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "collector/batch.h"
#include "collector/collector.h"
#include "collector/offsets.h"
#include "collector/partitions.h"
#include "collector/retention.h"
#include "ipc/heartbeat.h"

#define BATCH_MIN_BYTES (4u << 10)
#define PARTITIONS_US   3600000000ll

static void publish_pending(struct collector *c)
{
	atomic_store(scoreboard_spool_bytes(c->board), spool_pending_bytes(c->spool));
}

/* After the records of one file were stored: updates the file's state, and logs what was lost. */
static void settle_read(struct collector *c, const struct spool_read *read)
{
	struct spool_file *file = spool_find(c->spool, read->name);

	file->offset = read->to;
	file->finished = read->finished;
	if (read->damaged_bytes > 0)
		log_error("spool file %s: %" PRIu64 " damaged bytes skipped between %" PRIu64 " and %" PRIu64
			  ", set aside in %s/%s",
			  read->name, read->damaged_bytes, read->from, read->to, c->spool->path, SPOOL_REJECTED_DIR);
	if (read->torn_bytes > 0)
		log_warn("spool file %s: its last %" PRIu64 " bytes are an unfinished record, dropped", read->name,
			 read->torn_bytes);
}

/* Logged so that a request can be followed to its end by its id. */
static void tell_stored(const struct collector *c)
{
	if (!log_is_on(LOG_DEBUG))
		return;
	for (size_t i = 0; i < c->batch.record_count; i++) {
		const struct record *r = &c->batch.records[i].record;
		AUTO(mem_free) char *request_id = mem_strndup(r->request_id.data, r->request_id.len);
		char id[UUID_TEXT_SIZE];
		if (!record_is_invocation(r))
			continue;
		uuid_format(&r->invocation_id, id);
		log_set_request(request_id);
		log_debug("%s invocation=%s", c->batch.records[i].refused ? "refused" : "stored", id);
	}
	log_set_request(NULL);
}

static bool anything_to_store(const struct spool_batch *batch)
{
	for (size_t i = 0; i < batch->read_count; i++)
		if (batch->reads[i].to != batch->reads[i].from)
			return true;
	return false;
}

/* Stores the batch and empties it. If PostgreSQL is too slow, the batch size is halved, and then grows slowly. */
static int store(struct collector *c, struct err *err)
{
	struct spool_batch *batch = &c->batch;
	size_t largest = (size_t)c->conf->collector_batch_bytes;

	if (anything_to_store(batch)) {
		collector_set_state(c, SLOT_BUSY);
		struct err why;
		if (batch_store(c->db, c->spool, batch, &why) < 0) {
			if (why.code == ETIMEDOUT)
				c->batch_limit = MAX(c->batch_limit / 2, BATCH_MIN_BYTES);
			return db_fail(err, why.code, "%s", why.msg);
		}
		exporter_take(c->exporter, batch);
		tell_stored(c);
		c->batch_limit = MIN(c->batch_limit + largest / 64, largest);
		atomic_fetch_add(&c->slot->requests, batch->record_count - batch->refused_count);
	}
	for (size_t i = 0; i < batch->read_count; i++)
		settle_read(c, &batch->reads[i]);
	if (batch->refused_count > 0)
		log_error("%zu records cannot be stored and are set aside in %s/%s: %s", batch->refused_count, c->spool->path,
			  SPOOL_REJECTED_DIR, batch->refused_why);
	spool_batch_reset(batch, c->batch_limit);
	return 0;
}

/* Reads one file to its end, and stores the batch whenever it is full. */
static int collect_file(struct collector *c, struct spool_file *file, struct err *err)
{
	bool more = true;

	file->looked_at_size = file->size;
	file->looked_at_us = clock_mono_us();
	while (more) {
		heartbeat_now();
		struct err why;
		if (spool_read(c->spool->dir_fd, file->name, file->offset, &c->batch, &why) < 0) {
			/* An error with one file must not stop the others. The next scan forgets a file that is gone. */
			if (why.code != ENOENT && !file->unreadable)
				log_error("%s", why.msg);
			file->unreadable = true;
			return 0;
		}
		file->unreadable = false;
		more = c->batch.reads[c->batch.read_count - 1].more;
		if (more && store(c, err) < 0)
			return -1;
	}
	return 0;
}

static int remove_finished(struct collector *c, struct err *err)
{
	size_t count = 0;

	if (spool_unlink_finished(c->spool, &count, err) < 0)
		return -1;
	if (count > 0 && offsets_forget_finished(c->db, c->spool, err) < 0)
		return -1;
	spool_forget_finished(c->spool);
	return 0;
}

/* A failure to remove old rows must not delay new ones; it is tried again with the next partitions. */
static void expire(struct collector *c)
{
	struct err err;

	if (retention_apply(c->db, c->conf, &err) < 0)
		log_warn("old metrics are not removed yet: %s", err.msg);
}

/* A sample that cannot be stored must not delay them either. */
static void sample(struct collector *c)
{
	struct err err;

	/* Not logged when PostgreSQL is unavailable, because storing records logs that. */
	if (sampler_run(&c->sampler, c->board, c->db, &err) < 0 && err.code != ENOTCONN)
		log_warn("the state of the machine is not stored for this minute: %s", err.msg);
}

static int prepare(struct collector *c, struct err *err)
{
	if (clock_mono_us() >= c->partitions_at_us) {
		if (partitions_prepare(c->db, err) < 0)
			return -1;
		c->partitions_at_us = clock_mono_us() + PARTITIONS_US;
		expire(c);
	}
	sample(c);
	if (!c->offsets_known && offsets_load(c->db, c->spool, err) < 0)
		return -1;
	c->offsets_known = true;
	return 0;
}

/* Stores everything in the spool. */
static int collect(struct collector *c, struct err *err)
{
	struct spool_file *file, *next;

	if (spool_scan(c->spool, err) < 0)
		return -1;
	publish_pending(c);
	if (prepare(c, err) < 0)
		return -1;
	spool_batch_reset(&c->batch, c->batch_limit);
	HASH_ITER (hh, c->spool->files, file, next)
		if (spool_file_is_due(file, clock_mono_us()) && collect_file(c, file, err) < 0)
			return -1;
	if (store(c, err) < 0 || remove_finished(c, err) < 0)
		return -1;
	publish_pending(c);
	return 0;
}

/* Whether this collector has the spool. */
static bool may_collect(struct collector *c)
{
	bool waited = c->waits;

	c->waits = !spool_claim(c->spool);
	if (c->waits != waited)
		log_info(c->waits ? "waits for the collector before it to end" : "takes over from the collector before it");
	return !c->waits;
}

void round_run(struct collector *c)
{
	struct err err;

	if (!may_collect(c))
		return;
	if (collect(c, &err) == 0) {
		if (c->failing >= 0)
			log_info("records are stored again");
		c->failing = -1;
	} else {
		if (c->failing != err.code)
			log_warn("records stay in the spool for now: %s", err.msg);
		c->failing = err.code;
		c->offsets_known = false;
	}
	atomic_store(scoreboard_stores(c->board), c->failing < 0);
	collector_set_state(c, SLOT_IDLE);
}
