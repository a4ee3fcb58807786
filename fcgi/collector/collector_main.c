/*
 * The collector: the only writer of metrics. The master starts one at start-up and keeps it running.
 *
 * Workers append a record per invocation to their spool files. Every collector.interval_ms the collector looks at the spool
 * directory, reads new records and stores them in PostgreSQL together with how far it has read (batch.h). A file that is stored
 * completely and no longer has a writer is removed. The total size of what is not stored yet is on the scoreboard; workers stop
 * writing at the quota.
 *
 * It has no state that is not in the spool or in PostgreSQL. So its crash costs nothing but time, and while PostgreSQL is
 * unavailable the spool grows and the collector tries again.
 *
 * Only one collector works at a time: during an upgrade, or while the collector of a killed master stores the rest, the next
 * one waits.
 *
 * On SIGTERM, or when the master is gone, it stores what is in the spool once more and exits with 0. On SIGHUP it reads its
 * settings again. On SIGQUIT it ends at once.
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
#include "collector/collector.h"
#include "collector/round.h"
#include "ipc/heartbeat.h"
#include "ipc/inherited.h"

#define RETRY_MIN_MS   1000 /* pause between rounds when db.c makes no pause and a smaller batch does not help */
#define PROGRAM_FAILED 1

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

	signal(SIGPIPE, SIG_IGN); /* ignored, because stderr may be a pipe without a reader */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(err, errno, "block signals");
	*signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *signal_fd < 0 ? err_set(err, errno, "signalfd") : 0;
}

/* The name of this machine. */
static char *node_name(const struct conf *conf)
{
	char host[HOST_NAME_MAX + 1] = "";

	gethostname(host, sizeof(host) - 1);
	return mem_strdup(conf->master_node[0] != '\0' ? conf->master_node : host);
}

static int collector_init(struct collector *c, const struct inherited *h, struct err *err)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", h->conf->master_state_dir, RECORD_SPOOL_DIR);
	AUTO(mem_free) char *node = node_name(h->conf);

	*c = (struct collector){.conf = h->conf, .signal_fd = -1, .failing = -1};
	c->batch_limit = (size_t)c->conf->collector_batch_bytes;
	if (scoreboard_attach(INHERITED_SCOREBOARD_FD, &c->board, err) < 0)
		return -1;
	c->slot = scoreboard_slot(c->board, h->slot);
	heartbeat_begin(c->slot);
	if (open_signals(&c->signal_fd, err) < 0 || spool_open(path, node, &c->spool, err) < 0)
		return -1;
	c->exporter = exporter_new(c->conf, c->spool->node);
	sampler_init(&c->sampler, c->spool->node, c->conf->master_state_dir);
	c->db = db_new(c->conf, "berth collector");
	return 0;
}

static void reload(struct collector *c)
{
	struct conf *next;
	struct err err;

	if (conf_load_fd(INHERITED_CONF_FD, &next, &err) < 0) {
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

/* Waits until the next round is due or the process has to stop. */
static void wait_for_work(struct collector *c)
{
	struct pollfd fds[] = {{.fd = c->signal_fd, .events = POLLIN}, {.fd = INHERITED_LIFE_FD, .events = POLLIN}};
	int64_t pause_ms = c->conf->collector_interval_ms;

	if (c->failing >= 0 && c->failing != ENOTCONN && c->failing != ETIMEDOUT)
		pause_ms = MAX(pause_ms, RETRY_MIN_MS);
	exporter_work(c->exporter);
	int64_t due_us = clock_mono_us() + pause_ms * 1000;
	int n;
	do {
		heartbeat_now();
		n = exporter_poll(c->exporter, fds, ARRAY_SIZE(fds), clock_left_ms(heartbeat_due_us(due_us)));
	} while (n == 0 && clock_left_ms(due_us) > 0);
	if (n <= 0)
		return;
	take_signals(c);
	if (fds[1].revents != 0)
		c->stopping = true;
}

int collector_main(const struct inherited *inherited)
{
	AUTO(collector_free) struct collector c;
	struct err err;

	if (collector_init(&c, inherited, &err) < 0) {
		log_error("%s", err.msg);
		return PROGRAM_FAILED;
	}
	collector_set_state(&c, SLOT_IDLE);
	while (!c.stopping) {
		round_run(&c);
		look_at_certificate(&c);
		wait_for_work(&c);
	}
	collector_set_state(&c, SLOT_STOPPING);
	round_run(&c);
	exporter_flush(c.exporter);
	if (spool_pending_bytes(c.spool) > 0)
		log_info("%" PRIu64 " bytes stay in the spool for the next collector", spool_pending_bytes(c.spool));
	return 0;
}
