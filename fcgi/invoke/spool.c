#include "invoke/spool.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/trim.h"
#include "ipc/spool_file.h"

#define COMPLAIN_EVERY_US 60000000

struct spool {
	const struct conf *conf;
	struct slot *slot;
	const _Atomic uint64_t *spooled_bytes;
	struct spool_file_writer file;
	int64_t complained_us; /* when drops were last logged; 0: never */
};

struct spool *spool_new(const struct conf *conf, struct slot *slot, const _Atomic uint64_t *spooled_bytes)
{
	struct spool *s = mem_alloc(sizeof(*s));

	s->conf = conf;
	s->slot = slot;
	s->spooled_bytes = spooled_bytes;
	s->file = SPOOL_FILE_NONE;
	return s;
}

void spool_free(struct spool **spool)
{
	if (*spool == NULL)
		return;
	spool_file_close(&(*spool)->file);
	mem_free(spool);
}

static int write_record(struct spool *s, const struct record *record, struct err *err)
{
	if (atomic_load_explicit(s->spooled_bytes, memory_order_relaxed) >= (uint64_t)s->conf->spool_quota_mb << 20)
		return err_set(err, 0, "the spool has reached its quota of %" PRId64 " MB (spool.quota_mb)",
			       s->conf->spool_quota_mb);
	return spool_file_append(&s->file, s->conf->master_state_dir, s->conf->spool_file_bytes, record, err);
}

static void count_drop(struct spool *s, const struct err *err)
{
	uint64_t drops = atomic_fetch_add(&s->slot->dropped_records, 1) + 1;
	int64_t now_us = clock_mono_us();

	if (s->complained_us != 0 && now_us - s->complained_us < COMPLAIN_EVERY_US)
		return;
	s->complained_us = now_us;
	log_error("record of an invocation dropped, %" PRIu64 " so far: %s", drops, err->msg);
}

void spool_append(struct spool *s, const struct record *record)
{
	struct err err = {0};

	if (!s->conf->spool_enabled)
		return;
	if (write_record(s, record, &err) < 0)
		count_drop(s, &err);
	trim_buf(&s->file.record);
}
