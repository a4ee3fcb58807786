#include "collector/sample.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define MINUTE_US 60000000ll

struct space {
	uint64_t total, available;
};

struct reading {
	struct cpu_time cpu;
	struct space memory, disk;
};

/* The parameters of sample_add: the key, then the columns of sample.def in the same order. */
enum {
	NODE,
	AT,
#define SAMPLE(column, aggregate, value) PARAM_##column,
#include "db/sample.def"
#undef SAMPLE
	PARAM_COUNT
};

static char add_sql[1024];
static const struct db_statement sample_add = {.name = "sample_add", .sql = add_sql, .param_count = PARAM_COUNT};

/* The SQL is written at run time, because the preprocessor cannot number the parameters. */
static void write_sql(void)
{
	AUTO(buf_free) struct buf sql = {0};

	buf_add_str(&sql, "insert into system_samples (node, at");
#define SAMPLE(column, aggregate, value) buf_add_str(&sql, ", " #column);
#include "db/sample.def"
#undef SAMPLE
	buf_add_str(&sql, ") values ($1, $2::timestamptz");
	for (int i = AT + 1; i < PARAM_COUNT; i++)
		buf_printf(&sql, ", $%d::double precision", i + 1);
	buf_add_str(&sql, ") on conflict (at, node) do nothing");
	assert(sql.len < sizeof(add_sql));
	memcpy(add_sql, sql.data, sql.len + 1);
}

/* The first line of /proc/stat: user nice system idle iowait irq softirq steal (proc(5)). Guests are in user already. */
static void read_cpu(struct cpu_time *cpu)
{
	uint64_t t[8] = {0};
	FILE *file = fopen("/proc/stat", "re");

	cpu->at_us = clock_mono_us();
	if (file == NULL)
		return;
	if (fscanf(file, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) == 8)
		cpu->busy = t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
	fclose(file);
}

static void read_memory(struct space *memory)
{
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		uint64_t kb;
		if (sscanf(line, "MemTotal: %" SCNu64, &kb) == 1)
			memory->total = kb * 1024;
		if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1)
			memory->available = kb * 1024;
	}
	fclose(file);
}

static void read_disk(const char *path, struct space *disk)
{
	struct statvfs fs;

	if (statvfs(path, &fs) == 0)
		*disk = (struct space){fs.f_blocks * fs.f_frsize, fs.f_bavail * fs.f_frsize};
}

static double cpu_cores(const struct cpu_time *now, const struct cpu_time *before)
{
	double seconds = (double)(now->at_us - before->at_us) / 1e6;

	if (seconds <= 0 || now->busy < before->busy)
		return 0;
	return (double)(now->busy - before->busy) / (double)sysconf(_SC_CLK_TCK) / seconds;
}

static int64_t next_minute(void)
{
	int64_t now_us = clock_wall_us();

	return now_us - now_us % MINUTE_US + MINUTE_US;
}

void sampler_init(struct sampler *sampler, const char *node, const char *state_dir)
{
	*sampler = (struct sampler){.node = node, .state_dir = state_dir, .due_us = next_minute()};
	read_cpu(&sampler->cpu_before);
	write_sql();
}

static int add(const struct sampler *s, struct scoreboard *board, const struct reading *now, int64_t at_us, struct db *db,
	       struct err *err)
{
	const struct db_param params[PARAM_COUNT] = {
		[NODE] = db_text(s->node),
		[AT] = db_time(at_us),
#define SAMPLE(column, aggregate, value) [PARAM_##column] = db_real((double)(value)),
#include "db/sample.def"
#undef SAMPLE
	};

	return db_run(db, &sample_add, params, NULL, err);
}

int sampler_run(struct sampler *s, struct scoreboard *board, struct db *db, struct err *err)
{
	int64_t next_us = next_minute();
	struct reading now = {0};

	/* The next sample must not wait long when the clock was set back. */
	if (clock_wall_us() < s->due_us && s->due_us <= next_us)
		return 0;
	read_cpu(&now.cpu);
	read_memory(&now.memory);
	read_disk(s->state_dir, &now.disk);
	int rc = add(s, board, &now, next_us - 2 * MINUTE_US, db, err);
	s->due_us = next_us;
	s->cpu_before = now.cpu;
	return rc;
}
