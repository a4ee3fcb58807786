/*
 * The collector: the only writer of metrics. The master starts one at start-up and keeps it running.
 *
 * Workers append a record per invocation to their spool files. Every collector.interval_ms the collector looks at the spool
 * directory, reads what is new and stores it in PostgreSQL together with how far it has read (batch.h). A file that is stored
 * and has no writer any more is removed. The total of what waits is published on the scoreboard: workers stop writing at the
 * quota.
 *
 * It keeps nothing that is not in the spool or in PostgreSQL. So its crash costs nothing but time, and while PostgreSQL is away
 * the spool grows and the collector tries again.
 *
 * One works at a time: at an upgrade, or while the collector of a master that was killed stores the rest, the next one waits.
 *
 * SIGTERM, or the end of the master, ends it: it stores what is there, once, and exits with 0. SIGHUP has it read its settings
 * again. SIGQUIT ends it at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "collector/batch.h"
#include "collector/certificate.h"
#include "collector/exporter.h"
#include "collector/offsets.h"
#include "collector/partitions.h"
#include "collector/retention.h"
#include "collector/sample.h"
#include "collector/spool_dir.h"
#include "conf/conf.h"
#include "db/db.h"
#include "ipc/heritage.h"
#include "ipc/pulse.h"
#include "ipc/scoreboard.h"

#define BATCH_MIN_BYTES (4u << 10)
#define PARTITIONS_US   3600000000ll
#define RETRY_MIN_MS    1000 /* between rounds when db.c makes no pause and a smaller batch is no help */
#define PROGRAM_FAILED  1

struct collector {
	const struct conf *conf;
	struct conf *reloaded; /* what conf is after a SIGHUP; owned */
	struct db *db;
	struct spool *spool;
	struct spool_batch batch;
	struct sampler sampler;
	struct exporter *exporter; /* NULL: none */
	struct certificate_watch certificate;
	size_t batch_limit; /* collector.batch_bytes, less while PostgreSQL is too slow for it */
	struct scoreboard *board;
	struct slot *slot;
	int signal_fd;
	bool waits; /* for another collector to end; the log has said so */
	bool offsets_known;
	bool stopping;
	int64_t partitions_at_us; /* when to make partitions next; monotonic */
	int failing;              /* err.code of the failure that was logged; -1: all is well */
};

static void collector_free(struct collector *c)
{
	exporter_free(&c->exporter);
	db_free(&c->db);
	spool_close(&c->spool);
	spool_batch_free(&c->batch);
	fd_close(&c->signal_fd);
	scoreboard_close(&c->board);
	conf_free(&c->reloaded);
}

static int open_signals(int *signal_fd, struct err *err)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN); /* stderr may be a pipe that nobody reads any more */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(err, errno, "block signals");
	*signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *signal_fd < 0 ? err_set(err, errno, "signalfd") : 0;
}

/* What this machine is called. */
static char *node_name(const struct conf *conf)
{
	char host[HOST_NAME_MAX + 1] = "";

	gethostname(host, sizeof(host) - 1);
	return mem_strdup(conf->master_node[0] != '\0' ? conf->master_node : host);
}

static int collector_init(struct collector *c, const struct heritage *h, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", h->conf->master_state_dir, RECORD_SPOOL_DIR);
	AUTO(mem_free) char *node = node_name(h->conf);

	*c = (struct collector){.conf = h->conf, .signal_fd = -1, .failing = -1};
	c->batch_limit = (size_t)c->conf->collector_batch_bytes;
	if (scoreboard_attach(HERITAGE_SCOREBOARD_FD, &c->board, err) < 0)
		return -1;
	c->slot = scoreboard_slot(c->board, h->slot);
	pulse_begin(c->slot);
	if (open_signals(&c->signal_fd, err) < 0 || spool_open(path, node, &c->spool, err) < 0)
		return -1;
	c->exporter = exporter_new(c->conf, c->spool->node);
	sampler_init(&c->sampler, c->spool->node, c->conf->master_state_dir);
	c->db = db_new(c->conf, "berth collector");
	return 0;
}

static void set_state(struct collector *c, enum slot_state state)
{
	atomic_store(&c->slot->state, c->stopping ? SLOT_STOPPING : state);
}

static void publish_pending(struct collector *c)
{
	atomic_store(scoreboard_spool_bytes(c->board), spool_pending_bytes(c->spool));
}

/* What was found in one file is now stored: note it, and say what was lost. */
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

/* So that a request can be followed to its end by its id. */
static void tell_stored(const struct collector *c)
{
	if (strcmp(c->conf->log_level, "debug") != 0)
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

/* Stores the batch and empties it. A PostgreSQL too slow for it gets half as much, and then slowly more again. */
static int store(struct collector *c, struct err *err)
{
	struct spool_batch *batch = &c->batch;
	size_t largest = (size_t)c->conf->collector_batch_bytes;

	if (anything_to_store(batch)) {
		set_state(c, SLOT_BUSY);
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

/* Reads one file to its end, storing a batch whenever one is full. */
static int collect_file(struct collector *c, struct spool_file *file, struct err *err)
{
	bool more = true;

	file->looked_at_size = file->size;
	file->looked_at_us = clock_mono_us();
	while (more) {
		pulse_beat();
		struct err why;
		if (spool_read(c->spool->dir_fd, file->name, file->offset, &c->batch, &why) < 0) {
			/* One file's trouble must not stop the others. The next scan forgets one that is gone. */
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

/* That old rows could not be removed is no reason to keep new ones waiting; they are tried again with the next partitions. */
static void expire(struct collector *c)
{
	struct err err;

	if (retention_apply(c->db, c->conf, &err) < 0)
		log_warn("old metrics are not removed yet: %s", err.msg);
}

/* Nor is a minute that cannot be told. */
static void sample(struct collector *c)
{
	struct err err;

	/* That PostgreSQL is away is said where records are stored. */
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

/* Stores all that the spool holds now. */
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

/* Is it our turn? */
static bool may_collect(struct collector *c)
{
	bool waited = c->waits;

	c->waits = !spool_claim(c->spool);
	if (c->waits != waited)
		log_info(c->waits ? "waits for the collector before it to end" : "takes over from the collector before it");
	return !c->waits;
}

/* One round and what it means for the log: a line when things go wrong, or wrong in another way, and one when they are well. */
static void round_once(struct collector *c)
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
	set_state(c, SLOT_IDLE);
}

static void reload(struct collector *c)
{
	struct conf *next;
	struct err err;

	if (conf_load_fd(HERITAGE_CONF_FD, &next, &err) < 0) {
		log_error("keeps its settings: %s", err.msg);
		return;
	}
	db_set_conf(c->db, next);
	exporter_free(&c->exporter);
	c->exporter = exporter_new(next, c->spool->node);
	c->certificate = (struct certificate_watch){0};
	c->conf = next;
	c->batch_limit = (size_t)next->collector_batch_bytes;
	log_init(child_role_name(CHILD_COLLECTOR), (enum log_level)log_level_parse(next->log_level));
	conf_free(&c->reloaded);
	c->reloaded = next;
	log_info("settings reloaded");
}

static void look_at_certificate(struct collector *c)
{
	int64_t ends_s = atomic_load(scoreboard_certificate_ends_s(c->board));
	struct err err;

	if (certificate_look(&c->certificate, c->conf->tls_address, &ends_s, &err) < 0)
		log_warn("until when the certificate is valid is not known: %s", err.msg);
	atomic_store(scoreboard_certificate_ends_s(c->board), ends_s);
}

static void take_signals(struct collector *c)
{
	struct signalfd_siginfo info;

	while (read(c->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(c);
		else
			c->stopping = true;
	}
}

/* Until the next round is due, or it is time to stop. */
static void wait_for_work(struct collector *c)
{
	struct pollfd fds[] = {{.fd = c->signal_fd, .events = POLLIN}, {.fd = HERITAGE_LIFE_FD, .events = POLLIN}};
	int64_t pause_ms = c->conf->collector_interval_ms;

	if (c->failing >= 0 && c->failing != ENOTCONN && c->failing != ETIMEDOUT)
		pause_ms = MAX(pause_ms, RETRY_MIN_MS);
	exporter_work(c->exporter);
	int64_t due_us = clock_mono_us() + pause_ms * 1000;
	int n;
	do {
		pulse_beat();
		n = exporter_poll(c->exporter, fds, ARRAY_SIZE(fds), clock_left_ms(pulse_due_us(due_us)));
	} while (n == 0 && clock_left_ms(due_us) > 0);
	if (n <= 0)
		return;
	take_signals(c);
	if (fds[1].revents != 0)
		c->stopping = true;
}

int collector_main(const struct heritage *heritage)
{
	AUTO(collector_free) struct collector c;
	struct err err;

	if (collector_init(&c, heritage, &err) < 0) {
		log_error("%s", err.msg);
		return PROGRAM_FAILED;
	}
	set_state(&c, SLOT_IDLE);
	while (!c.stopping) {
		round_once(&c);
		look_at_certificate(&c);
		wait_for_work(&c);
	}
	set_state(&c, SLOT_STOPPING);
	round_once(&c);
	exporter_flush(c.exporter);
	if (spool_pending_bytes(c.spool) > 0)
		log_info("%" PRIu64 " bytes stay in the spool for the next collector", spool_pending_bytes(c.spool));
	return 0;
}
