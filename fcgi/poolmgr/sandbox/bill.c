#include "poolmgr/sandbox/bill.h"

#include <inttypes.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/spool_file.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/node/work.h"

#define PERIOD_US         1000000
#define COMPLAIN_EVERY_US 60000000
#define HTTP_OK           200 /* these records are added to the figures of successful invocations */

struct bill {
	struct key {
		struct uuid function_id;
		uint32_t version;
		const char *runtime; /* a driver's name */
	} key;
	int64_t cpu_us;
	UT_hash_handle hh;
};

/* One at a time; while it is under way the other members belong to its thread. */
static struct writing {
	struct work work;
	struct spool_file_writer file;
	struct bill *bills;
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
static int64_t write_at_us;
static int64_t complained_us;

static void drop_all(struct bill **bills)
{
	struct bill *b, *next;

	HASH_ITER (hh, *bills, b, next) {
		HASH_DEL(*bills, b);
		free(b);
	}
}

void bill_add(const struct version *v, int64_t cpu_us)
{
	struct bill *b;
	struct key key;

	memset(&key, 0, sizeof(key)); /* compared as memory */
	key.function_id = v->function_id;
	key.version = (uint32_t)v->spec->version;
	key.runtime = v->shape->key.driver->name;
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

static void write_bills(struct work *work)
{
	const struct bill *b, *next;

	(void)work;
	writing.failures = 0;
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
		if (spool_file_append(&writing.file, writing.state_dir, writing.file_bytes, &r, &writing.err) < 0)
			writing.failures++;
	}
}

static void count_drops(uint64_t drops, const char *why)
{
	int64_t now_us = clock_mono_us();

	atomic_fetch_add(&scoreboard_slot(board, slot)->dropped_records, drops);
	if (complained_us != 0 && now_us - complained_us < COMPLAIN_EVERY_US)
		return;
	complained_us = now_us;
	log_error("records of what sandboxes used after their last invocation dropped: %" PRIu64 ": %s", drops, why);
}

static void on_written(struct work *work)
{
	(void)work;
	drop_all(&writing.bills);
	mem_free(&writing.state_dir);
	writing.under_way = false;
	if (writing.failures > 0)
		count_drops(writing.failures, writing.err.msg);
}

static void begin_writing(void)
{
	writing.bills = gathered;
	writing.state_dir = mem_strdup(conf->master_state_dir); /* copied, because conf may be replaced meanwhile */
	writing.file_bytes = conf->spool_file_bytes;
	writing.under_way = true;
	gathered = NULL;
	writing.work = (struct work){write_bills, on_written, NULL, NULL};
	work_begin(WORK_CHORE, &writing.work);
}

void bill_tick(int64_t now_us, bool at_once)
{
	if (gathered == NULL || writing.under_way || (now_us < write_at_us && !at_once))
		return;
	write_at_us = now_us + PERIOD_US;
	if (!conf->spool_enabled) {
		drop_all(&gathered);
	} else if (*scoreboard_spool_bytes(board) >= (uint64_t)conf->spool_quota_mb << 20) {
		count_drops(HASH_COUNT(gathered), "the spool has reached its quota (spool.quota_mb)");
		drop_all(&gathered);
	} else {
		begin_writing();
	}
}

bool bill_is_pending(void)
{
	return gathered != NULL || writing.under_way;
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
