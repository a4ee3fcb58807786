#include "poolmgr/sandbox/bill.h"

#include <inttypes.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/spool_file.h"
#include "output/printed.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/node/work.h"

#define PERIOD_US         1000000
#define COMPLAIN_EVERY_US 60000000
#define LATE_MAX_BYTES    (16u << 20) /* of late output that waits to be written */
#define HTTP_OK           200         /* these records are added to the figures of successful invocations */

struct bill {
	struct key {
		struct uuid function_id;
		uint32_t version;
		const char *runtime; /* a driver's name */
	} key;
	int64_t cpu_us;
	UT_hash_handle hh;
};

/* Output that an invocation has left behind. */
struct leaving {
	struct key key;
	struct uuid id;
	uint64_t at_us, read_us;
	struct printed_log log;
	struct leaving *next;
};

/* One at a time; while it is under way the other members belong to its thread. */
static struct writing {
	struct work work;
	struct spool_file_writer file;
	struct bill *bills;
	struct leaving *leavings;
	char *state_dir;
	int64_t file_bytes;
	uint64_t failures;
	struct err err;
	bool under_way;
} writing = {.file = {.fd = -1}};

static const struct conf *conf;
static struct scoreboard *board;
static int slot;
static struct bill *gathered;
static struct leaving *gathered_late; /* newest first */
static size_t late_bytes;
static int64_t write_at_us;
static int64_t complained_us;

static void drop_all(struct bill **bills, struct leaving **leavings)
{
	struct leaving *l, *next_leaving;
	struct bill *b, *next;

	LL_FOREACH_SAFE (*leavings, l, next_leaving) {
		printed_log_free(&l->log);
		free(l);
	}
	*leavings = NULL;

	HASH_ITER (hh, *bills, b, next) {
		HASH_DEL(*bills, b);
		free(b);
	}
}

static void set_key(struct key *key, const struct version *v)
{
	memset(key, 0, sizeof(*key)); /* compared as memory */
	key->function_id = v->function_id;
	key->version = (uint32_t)v->spec->version;
	key->runtime = v->shape->key.driver->name;
}

void bill_add(const struct version *v, int64_t cpu_us)
{
	struct bill *b;
	struct key key;

	set_key(&key, v);
	HASH_FIND(hh, gathered, &key, sizeof(key), b);
	if (b == NULL) {
		b = mem_alloc(sizeof(*b));
		b->key = key;
		HASH_ADD(hh, gathered, key, sizeof(key), b);
	}
	b->cpu_us += cpu_us;
	if (board != NULL)
		tally_count_background(scoreboard_tally(board, slot), key.runtime, (uint64_t)cpu_us);
}

static void copy_buf(struct buf *to, const struct buf *from)
{
	buf_add(to, from->data, from->len);
}

static void count_drops(uint64_t drops, const char *why);

void bill_add_late(const struct version *v, const struct uuid *id, uint64_t at_us, const struct printed_log *log,
		   unsigned errors)
{
	size_t bytes = log->text.len + log->times.len + log->streams.len + log->levels.len;

	if (board != NULL)
		tally_count_late(scoreboard_tally(board, slot), v->shape->key.driver->name, errors);
	if (late_bytes + bytes > LATE_MAX_BYTES) {
		count_drops(1, "too much late output at a time");
		return;
	}
	late_bytes += bytes;
	struct leaving *l = mem_alloc(sizeof(*l));
	set_key(&l->key, v);
	l->id = *id;
	l->at_us = at_us;
	l->read_us = (uint64_t)clock_wall_us();
	l->log.bytes = log->bytes;
	copy_buf(&l->log.text, &log->text);
	copy_buf(&l->log.times, &log->times);
	copy_buf(&l->log.streams, &log->streams);
	copy_buf(&l->log.levels, &log->levels);
	LL_PREPEND(gathered_late, l);
}

static struct str str_of(const struct buf *b)
{
	return (struct str){buf_str(b), (uint32_t)b->len};
}

static void write_one(const struct record *r)
{
	if (spool_file_append(&writing.file, writing.state_dir, writing.file_bytes, r, &writing.err) < 0)
		writing.failures++;
}

static void write_leavings(void)
{
	const struct leaving *l;

	LL_FOREACH (writing.leavings, l)
		write_one(&(struct record){
			.invocation_id = l->id,
			.function_id = l->key.function_id,
			.version = l->key.version,
			.runtime = STR(l->key.runtime),
			.requested_at_us = l->read_us,
			.late_for_us = l->at_us,
			.log = str_of(&l->log.text),
			.log_times = str_of(&l->log.times),
			.log_streams = str_of(&l->log.streams),
			.log_levels = str_of(&l->log.levels),
			.log_bytes = l->log.bytes,
		});
}

static void write_bills(struct work *work)
{
	const struct bill *b, *next;

	(void)work;
	writing.failures = 0;
	write_leavings();
	HASH_ITER (hh, writing.bills, b, next) {
		const struct record r = {
			.function_id = b->key.function_id,
			.version = b->key.version,
			.runtime = STR(b->key.runtime),
			.requested_at_us = (uint64_t)clock_wall_us(),
			.cpu_us = RECORD_UNKNOWN,
			.status = HTTP_OK,
			.background_us = (uint64_t)b->cpu_us,
		};
		write_one(&r);
	}
}

static void count_drops(uint64_t drops, const char *why)
{
	int64_t now_us = clock_mono_us();

	atomic_fetch_add(&scoreboard_slot(board, slot)->dropped_records, drops);
	if (complained_us != 0 && now_us - complained_us < COMPLAIN_EVERY_US)
		return;
	complained_us = now_us;
	log_error("records of what sandboxes used and printed after their last invocation dropped: %" PRIu64 ": %s", drops,
		  why);
}

static void on_written(struct work *work)
{
	(void)work;
	drop_all(&writing.bills, &writing.leavings);
	mem_free(&writing.state_dir);
	writing.under_way = false;
	if (writing.failures > 0)
		count_drops(writing.failures, writing.err.msg);
}

static void begin_writing(void)
{
	writing.bills = gathered;
	writing.leavings = gathered_late;
	late_bytes = 0;
	writing.state_dir = mem_strdup(conf->master_state_dir); /* copied, because conf may be replaced meanwhile */
	writing.file_bytes = conf->spool_file_bytes;
	writing.under_way = true;
	gathered = NULL;
	gathered_late = NULL;
	writing.work = (struct work){write_bills, on_written, NULL, NULL};
	work_begin(WORK_CHORE, &writing.work);
}

void bill_tick(int64_t now_us, bool at_once)
{
	if ((gathered == NULL && gathered_late == NULL) || writing.under_way || (now_us < write_at_us && !at_once))
		return;
	write_at_us = now_us + PERIOD_US;
	if (!conf->spool_enabled) {
		drop_all(&gathered, &gathered_late);
		late_bytes = 0;
	} else if (*scoreboard_spool_bytes(board) >= (uint64_t)conf->spool_quota_mb << 20) {
		const struct leaving *l;
		int leavings;
		LL_COUNT(gathered_late, l, leavings);
		count_drops(HASH_COUNT(gathered) + (unsigned)leavings, "the spool has reached its quota (spool.quota_mb)");
		drop_all(&gathered, &gathered_late);
		late_bytes = 0;
	} else {
		begin_writing();
	}
}

bool bill_is_pending(void)
{
	return gathered != NULL || gathered_late != NULL || writing.under_way;
}

void bill_init(const struct conf *c, struct scoreboard *b, int s)
{
	board = b;
	slot = s;
	bill_set_conf(c);
}

void bill_set_conf(const struct conf *c)
{
	conf = c;
}
